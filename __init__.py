"""Delphic: does a replicated system keep its promises?"""
