"""The bare interpreter that the daemon is compared with."""

PACKAGES = """
import asyncio
import apscheduler.schedulers.asyncio, grpc.aio, mpd.asyncio, mutagen, numpy, pydantic
import ruamel.yaml, sqlite_utils, watchdog.observers
"""
"""Imports the largest third-party packages that the daemon stands on, and nothing of ours."""

ALL_PACKAGES = f"""{PACKAGES}
import annotated_types, filelock, grpc_status.rpc_status, platformdirs, psutil, threadpoolctl
import grpc_health.v1.health_pb2_grpc, grpc_reflection.v1alpha.reflection
"""
"""Imports all of those that the daemon imports; a test compares."""
