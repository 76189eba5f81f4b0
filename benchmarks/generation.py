"""Tokens per second of one text, in float32, beside `transformers.generate` and llama.cpp on the same weights.

    python -m benchmarks.generation                # 6 layers × 384 and 4 × 128, the vocabulary of data/vocab
    python -m benchmarks.generation --batch 8      # several texts beside each other as well
    python -m benchmarks.generation --threads 1 --cpu    # on a busy machine: the process's own time

Ours and transformers take turns on the same prompt; the ratio is the median over the pairs, and every pair's ids
must be equal. llama.cpp reads the GGUF file of `elek.export.gguf`, which wants a BPE vocabulary (`--vocab`), and is
timed whole, prompt and loopback included. Weights are random and large, so that what is likeliest depends on the
text. Ours uses one thread whatever --threads says; the others use as many as that.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from elek.export.gguf import FILE_NAME, export_gguf
from elek.export.weights import export_model
from elek.generation import Sampling, generate, generate_batch
from elek.model.config import ModelConfig
from elek.model.transformer import Transformer, initialise
from elek.vocab.tokenizer import Tokenizer

SHAPES = {"6 × 384": (6, 384, 6), "4 × 128": (4, 128, 4)}


def build(layers: int, width: int, heads: int, vocab: int, context: int) -> Transformer:
    config = ModelConfig(vocab_size=vocab, context=context, layers=layers, width=width, heads=heads)
    model = initialise(Transformer(config), seed=1).eval()
    for parameter in model.parameters():
        parameter.data.mul_(3 if parameter.dim() > 1 else 1)
    return model


def hub(model: Transformer) -> Any:
    from transformers import LlamaForCausalLM

    with tempfile.TemporaryDirectory() as folder:
        export_model(Path(folder), model)
        loaded: Any = LlamaForCausalLM.from_pretrained(folder)
        return loaded.eval()


def ours(model: Transformer, prompt: list[int], new: int) -> list[int]:
    return generate(model, prompt, max_new_tokens=new, temperature=0)


def theirs(model: Any, prompt: list[int], new: int) -> list[int]:
    found = model.generate(
        torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
        max_new_tokens=new,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=3,
    )
    ids: list[int] = found[0, len(prompt) :].tolist()
    return ids


def llama_cpp(
    model: Transformer, tokenizer: Tokenizer, prompt: list[int], new: int, rounds: int, clock: Callable[[], float]
) -> tuple[float, list[int]] | str:
    """Tokens per second and ids, or why there is no figure."""
    try:
        import xllamacpp
    except ImportError:
        return "xllamacpp is not installed"
    with tempfile.TemporaryDirectory() as folder:
        export_gguf(Path(folder), model, tokenizer, "benchmark")
        params = xllamacpp.CommonParams()
        params.verbosity = -1
        params.model.path = str(Path(folder) / FILE_NAME)
        params.n_ctx = model.config.context
        params.n_parallel = 1
        params.warmup = True
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = torch.get_num_threads()
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED  # it keeps halves
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        server = xllamacpp.Server(params)
        asked = {
            "prompt": prompt,
            "n_predict": new,
            "temperature": 0.0,
            "samplers": ["temperature"],
            "ignore_eos": True,
            "cache_prompt": False,
            "return_tokens": True,
        }
        request = urllib.request.Request(  # noqa: S310 - the loopback
            f"{server.listening_address}/completion", json.dumps(asked).encode(), {"Content-Type": "application/json"}
        )
        speeds, ids = [], []
        for _ in range(rounds):
            start = clock()
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=600) as answer:
                ids = json.load(answer)["tokens"]
            speeds.append(new / (clock() - start))
        del server
        return statistics.median(speeds), ids


def agree(first: list[int], second: list[int]) -> int:
    """Tokens before the first difference."""
    return next((n for n, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), len(first))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocab", type=Path, default=Path("data/vocab"), help="a tokenizer.model, or its folder")
    parser.add_argument("--context", type=int, default=256)
    parser.add_argument("--prompt", type=int, default=16)
    parser.add_argument("--new", type=int, default=128)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cpu", action="store_true", help="measure the process's own time instead of the wall's")
    parser.add_argument("--batch", type=int, default=0)
    parser.add_argument("--no-llama-cpp", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    clock = time.process_time if options.cpu else time.perf_counter
    tokenizer = Tokenizer.load(options.vocab)
    print(f"{platform.machine()}, {os.cpu_count()} cores, {options.threads} threads, torch {torch.__version__}")
    print(f"prompt {options.prompt}, {options.new} new tokens, greedy, float32, {options.pairs} pairs")
    for name, (layers, width, heads) in SHAPES.items():
        model = build(layers, width, heads, tokenizer.size, options.context)
        exported = hub(model)
        generator = torch.Generator().manual_seed(2)
        prompt = torch.randint(5, tokenizer.size, (options.prompt,), generator=generator).tolist()
        ours(model, prompt, 2), theirs(exported, prompt, 2)  # compiled, and warm
        mine, other = [], []
        for _ in range(options.pairs):
            start = clock()
            ids = ours(model, prompt, options.new)
            mine.append(options.new / (clock() - start))
            start = clock()
            expected = theirs(exported, prompt, options.new)
            other.append(options.new / (clock() - start))
            assert ids == expected, f"{name}: the same tokens up to {agree(ids, expected)} only"
        ratio = statistics.median(a / b for a, b in zip(mine, other, strict=True))
        print(f"\n{name}, {model.config.parameters:,} parameters")
        print(f"  Elek                   {statistics.median(mine):>8,.0f} tokens/s")
        print(f"  transformers.generate  {statistics.median(other):>8,.0f} tokens/s, the same ids")
        print(f"  ratio                  {ratio:>8.1f} × (median of pairs)")
        if not options.no_llama_cpp:
            found = llama_cpp(model, tokenizer, prompt, options.new, options.pairs, clock)
            if isinstance(found, str):
                print(f"  llama.cpp              {found}")
            else:
                same = f"the same ids up to token {agree(ids, found[1])}"
                print(f"  llama.cpp, f32         {found[0]:>8,.0f} tokens/s, {same}")
        if options.batch:
            prompts = [prompt[: 1 + n % options.prompt] for n in range(options.batch)]
            start = clock()
            generate_batch(model, prompts, options.new, Sampling(temperature=0), seeds=[0] * options.batch)
            together = options.batch * options.new / (clock() - start)
            print(f"  Elek, {options.batch} texts together  {together:>8,.0f} tokens/s")


if __name__ == "__main__":
    main()
