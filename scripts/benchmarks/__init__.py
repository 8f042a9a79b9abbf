"""Measurements beside other libraries, their growth, and the pages and figures of both."""
