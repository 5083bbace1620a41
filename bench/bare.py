"""The bare interpreter that the daemon is compared with."""

PACKAGES = """
import asyncio
import apscheduler.schedulers.asyncio, grpc.aio, mpd.asyncio, mutagen, numpy, pydantic
import ruamel.yaml, sqlite_utils, watchdog.observers
"""
"""Imports the third-party packages that the daemon stands on, and nothing of ours."""
