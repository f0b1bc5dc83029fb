"""A small object store on this machine that speaks as much of S3 as delta-rs and Polars ask of one."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

_DATE = "Fri, 10 Oct 2025 20:00:00 GMT"


class Objects(dict[str, bytes]):
    """Objects by key, how often a conditional write came second, and whether writing is allowed."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()
        self.refused = 0
        self.read_only = False


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    objects: Objects

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).removeprefix("/").partition("/")[2]

    def _answer(self, code: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self) -> None:
        key, body = self._key(), self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if (
            self.headers.get("Content-Encoding") == "aws-chunked"
            or "x-amz-decoded-content-length" in self.headers
        ):
            raise AssertionError("a chunked upload is not spoken here")
        with self.objects.lock:
            if self.objects.read_only:
                self._answer(403)
                return
            if self.headers.get("If-None-Match") == "*" and key in self.objects:
                self.objects.refused += 1
                self._answer(412)
                return
            self.objects[key] = body
        self._answer(200, ETag=_tag(body))

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        if "list-type" in query:
            self._list(query)
            return
        with self.objects.lock:
            body = self.objects.get(self._key())
        if body is None:
            self._answer(404)
            return
        found = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if not found:
            self._answer(200, body, ETag=_tag(body), Last_Modified=_DATE)
            return
        first, last = found.groups()
        start = int(first) if first else max(0, len(body) - int(last))
        end = min(int(last), len(body) - 1) if first and last else len(body) - 1
        span = f"bytes {start}-{end}/{len(body)}"
        self._answer(206, body[start : end + 1], ETag=_tag(body), Last_Modified=_DATE, Content_Range=span)

    def do_HEAD(self) -> None:
        with self.objects.lock:
            body = self.objects.get(self._key())
        if body is None:
            self._answer(404)
        else:
            self._answer(200, ETag=_tag(body), Last_Modified=_DATE, Content_Length=str(len(body)))

    def do_DELETE(self) -> None:
        with self.objects.lock:
            self.objects.pop(self._key(), None)
        self._answer(204)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        keys = re.findall(r"<Key>(.*?)</Key>", body)
        with self.objects.lock:
            for key in keys:
                self.objects.pop(unquote(key), None)
        gone = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
        self._answer(200, f"<DeleteResult>{gone}</DeleteResult>".encode(), Content_Type="application/xml")

    def _list(self, query: dict[str, list[str]]) -> None:
        prefix, after = query.get("prefix", [""])[0], query.get("start-after", [""])[0]
        delimiter = query.get("delimiter", [""])[0]
        with self.objects.lock:
            found = sorted((k, v) for k, v in self.objects.items() if k.startswith(prefix) and k > after)
        folders = set()
        parts = []
        for key, body in found:
            rest = key.removeprefix(prefix)
            if delimiter and delimiter in rest:
                folders.add(prefix + rest.partition(delimiter)[0] + delimiter)
                continue
            parts.append(
                f"<Contents><Key>{escape(key)}</Key><LastModified>2025-10-10T20:00:00.000Z</LastModified>"
                f"<ETag>{escape(_tag(body))}</ETag><Size>{len(body)}</Size></Contents>"
            )
        parts += [
            f"<CommonPrefixes><Prefix>{escape(one)}</Prefix></CommonPrefixes>" for one in sorted(folders)
        ]
        text = f"<ListBucketResult><IsTruncated>false</IsTruncated>{''.join(parts)}</ListBucketResult>"
        self._answer(200, text.encode(), Content_Type="application/xml")


def _tag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


@contextmanager
def object_store() -> Iterator[tuple[Objects, dict[str, str]]]:
    """A store that runs, and the options that reach it."""
    objects = Objects()
    handler = type("Handler", (_Handler,), {"objects": objects})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield (
            objects,
            {
                "aws_endpoint_url": f"http://127.0.0.1:{server.server_address[1]}",
                "aws_access_key_id": "nobody",
                "aws_secret_access_key": "nothing",
                "aws_region": "us-east-1",
                "aws_allow_http": "true",
            },
        )
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
