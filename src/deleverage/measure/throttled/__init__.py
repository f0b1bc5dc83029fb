"""What stood behind a throttled feed of liquidations?"""
