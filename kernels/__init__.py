"""Compiled CPU kernels, one operation a file, each beside its NumPy twin in ``reference``."""

if __name__ == "kernels":
    raise ImportError(
        "This folder is imported as fastdl.kernels. You have the project's root on sys.path; "
        "install it (pip install -e .) and write `from fastdl import kernels`."
    )
