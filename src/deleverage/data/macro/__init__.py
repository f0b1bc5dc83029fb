"""Series from outside the venues: sentiment, fund flows, gold, market capitalisation; and how they were
revised.
"""
