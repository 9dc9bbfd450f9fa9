"""Ready models: thin compositions of layers, each close to its paper's figure."""

if __name__ == "models":
    raise ImportError(
        "This folder is imported as fastdl.models. You have the project's root on sys.path; "
        "install it (pip install -e .) and write `from fastdl import models`."
    )
