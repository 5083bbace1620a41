"""How MERT's vectors are made here, decided in the parent: light."""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import psutil

from anagnorisisd.config.schema import Device, Executor
from anagnorisisd.domain.embedding import EmbedderStamp, EmbeddingPlan, PlanStage
from anagnorisisd.embedding.embedder import DECODER_MEMORY_BYTES, EmbedderSettings
from anagnorisisd.embedding.mert import engine_choice
from anagnorisisd.embedding.mert.inference import WINDOW_SECONDS, WINDOWS, Engine, EnginePlan
from anagnorisisd.embedding.mert.model_files import ModelFiles, inspect
from anagnorisisd.embedding.published_models import MERT
from anagnorisisd.errors import EmbedderNotInstalled, EmbedderUnusable
from anagnorisisd.extras import install_command, is_installed

STAGES = "anagnorisisd.embedding.mert.inference"
WINDOW_PLAN = f"{WINDOWS}x{WINDOW_SECONDS:g}s"
"""A part of the stamp: other windows give other numbers."""
BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}


def offer(settings: EmbedderSettings) -> EmbeddingPlan | None:
    """Return how vectors are made from the weights that lie here; `None` if there are none.

    Raises:
        EmbedderUnusable: there are weights, but they cannot be used.
    """
    folder = inspect(settings.model_directory / MERT.name)
    if folder is None:
        return None
    layer = settings.config.layer
    if layer > folder.layers:
        raise EmbedderUnusable(f"embedding.layer: {layer} is above the model's {folder.layers}")
    if _computes_here(settings) and not is_installed("mert"):
        raise EmbedderNotInstalled(
            "embedder mert: torch or transformers is not installed; "
            f"`{install_command('mert')}` installs both"
        )
    plan = _with_faster_engine(_engine_plan(settings, folder), settings)
    stamp = EmbedderStamp(
        name="mert",
        version=f"{folder.sha256[:12]}-layer{layer}-{WINDOW_PLAN}-{_precision(plan)}",
        dimension=folder.dimension,
    )
    # Reading the next tracks overlaps with the model; it costs a twentieth of the model's time.
    reading = PlanStage(
        f"{STAGES}:read", arguments=(), workers=1, threads=1, memory_bytes=DECODER_MEMORY_BYTES
    )
    modelling = PlanStage(
        f"{STAGES}:embed",
        arguments=(plan,),
        workers=1,
        threads=plan.threads,
        # It meets no music, only windows and weights; what a driver needs is the driver's secret.
        confined=plan.engine is not Engine.CUDA,
    )
    conditions = (
        ("engine", plan.engine.value),
        ("bfloat16", plan.bfloat16),
        ("threads", plan.threads),
    )
    return EmbeddingPlan(stamp, (reading, modelling), conditions)


def _engine_plan(settings: EmbedderSettings, folder: ModelFiles) -> EnginePlan:
    """Return the plan of the usable engine that nothing was measured for."""
    asked = dict(settings.conditions)
    engine = _engine(settings)
    return EnginePlan(
        folder=str(folder.path),
        sha256=folder.sha256,
        layer=settings.config.layer,
        engine=engine,
        bfloat16=engine is not Engine.CUDA and bool(asked.get("bfloat16", has_bfloat16())),
        threads=_threads(settings, engine),
        cache_directory=str(settings.cache_directory),
    )


def _with_faster_engine(plan: EnginePlan, settings: EmbedderSettings) -> EnginePlan:
    """Return the plan with the engine that was measured to be faster, or with what to measure.

    Where other computers make the vectors, or this one makes them for another, nothing is measured.
    """
    elsewhere = settings.config.executor is not Executor.LOCAL or settings.conditions
    if plan.engine is not Engine.OPENVINO or elsewhere:
        return plan
    measure_as = engine_choice.conditions(plan.sha256, plan.layer, plan.bfloat16, plan.threads)
    times = engine_choice.load(settings.cache_directory, measure_as)
    return replace(
        plan,
        engine=engine_choice.faster_engine(times, plan.bfloat16),
        measure_as="" if times.is_final else measure_as,
    )


def _precision(plan: EnginePlan) -> str:
    """Return what of the precision the numbers depend on.

    In float32 all engines say the same; rounding to bfloat16 moves all tracks one way, and each
    engine rounds elsewhere.
    """
    return f"bf16-{plan.engine}" if plan.bfloat16 else "f32"


def _engine(settings: EmbedderSettings) -> Engine:
    """Return what computes: a GPU where it may, else what is asked for, else the best here."""
    asked = dict(settings.conditions)
    device, bfloat16 = settings.config.device, asked.get("bfloat16")
    if device is Device.CUDA or (device is Device.AUTO and not bfloat16 and _has_cuda()):
        if _computes_here(settings) and not _has_cuda():
            raise EmbedderUnusable(
                "embedder mert: no NVIDIA driver, or a torch without CUDA; "
                "install both, or set embedding.device to auto"
            )
        return Engine.CUDA
    openvino = is_installed("openvino")
    if asked.get("engine") == Engine.OPENVINO and not openvino:
        raise EmbedderUnusable(
            "embedder mert: OpenVINO is asked for, but is not installed here; "
            f"`{install_command('openvino')}` installs it"
        )
    return Engine.OPENVINO if openvino and asked.get("engine") != Engine.TORCH else Engine.TORCH


def _computes_here(settings: EmbedderSettings) -> bool:
    """Return whether this computer makes the vectors; one that has others do it needs no torch."""
    return bool(settings.conditions) or settings.config.executor is Executor.LOCAL


def _has_cuda() -> bool:
    """Say whether there is an NVIDIA driver, and a torch that was built for it."""
    if not Path("/dev/nvidiactl").exists() or not is_installed("mert"):
        return False
    return "+cpu" not in version("torch")


def has_bfloat16() -> bool:
    """Say whether the processor computes in bfloat16; without, it would only be slower."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return False
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    return not BFLOAT16_FLAGS.isdisjoint(flags)


def _threads(settings: EmbedderSettings, engine: Engine) -> int:
    """Return how many cores to use; a second thread on the same core only gets in the way."""
    asked = dict(settings.conditions)
    if asked.get("engine") == engine:  # the last bits of a sum depend on how many threads share it
        return int(asked["threads"])
    return settings.config.workers or min(
        settings.cores, psutil.cpu_count(logical=False) or settings.cores
    )
