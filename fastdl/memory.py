"""What fits into memory, asked before anything is allocated."""

from __future__ import annotations

import os


def available_memory() -> int | None:
    """Bytes that can be allocated without swapping, or None where the system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def require_memory(size: int, what: str) -> None:
    """Raise MemoryError where ``what`` needs more bytes than there are."""
    free = available_memory()
    if free is not None and size > free:
        raise MemoryError(
            f"{what[0].upper()}{what[1:]} need {size / 1e9:,.1f} GB; {free / 1e9:,.1f} GB are "
            "available. Use fewer rows (hash the ids), a smaller embedding_dim, or an optimizer "
            "with smaller states (RowWiseAdaGrad, SGD)."
        )
