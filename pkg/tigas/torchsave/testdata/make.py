"""Writes the fixtures of this folder with torch's own torch.save (made with torch 1.13.1), and what is in them.

    python make.py

small.pt     every element type, views, shared storages, empty and 0-d tensors, parameters, nested values
proto4.pt    the same with pickle protocol 4
foreign.pt   objects that a reader must not make: a function, a class, a numpy scalar, beside a state dict
legacy.pt, script.pt, bare.pkl   files that are refused by name
small.json   for each tensor: type, shape and bytes in hex
"""
import collections, json, math, os, pickle
import numpy as np
import torch

os.chdir(os.path.dirname(os.path.abspath(__file__)))
torch.manual_seed(0)


def values():
    base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    t = collections.OrderedDict()
    for dt in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        t[str(dt)] = torch.randn(3, 2).to(dt)
    for dt in (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8):
        t[str(dt)] = torch.tensor([[1, 2, 3], [100, 101, 127]]).to(dt)
    t["torch.bool"] = torch.tensor([True, False, True])
    t["torch.complex64"] = torch.tensor([1 + 2j, -3.5j])
    t["scalar"] = torch.tensor(1.5)
    t["empty"] = torch.zeros(0, 3)
    t["whole"] = base
    t["transposed"] = base.transpose(0, 2)
    t["slice"] = base[1, 1:, ::2]
    t["expanded"] = torch.tensor([7.0]).expand(2, 3)
    t["parameter"] = torch.nn.Parameter(torch.tensor([1.0, -1.0]))
    t["frozen"] = torch.nn.Parameter(torch.tensor([2.0]), requires_grad=False)
    t["special"] = torch.tensor([math.inf, -math.inf, math.nan, -0.0])
    return t


def main():
    t = values()
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    opt = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model(torch.randn(4, 2)).sum().backward()
    opt.step()
    root = {
        "tensors": t, "model_state_dict": model.state_dict(), "optimizer_state_dict": opt.state_dict(),
        "none": None, "true": True, "false": False, "int": 5, "negative": -70000, "big": 1 << 40, "minus": -(1 << 40),
        "huge": 1 << 80, "float": 0.1, "inf": math.inf, "text": "ä\n", "list": [1, [2, (3, 4)], {}], "tuple": (1, 2, 3, 4),
        "bytes": b"\x00\xff", "set": {1}, "size": torch.Size([2, 3]),
    }
    torch.save(root, "small.pt")
    torch.save(root, "proto4.pt", pickle_protocol=4)
    out = {}
    for k, v in t.items():
        c = v.detach().contiguous()
        raw = c.view(torch.int16).numpy().tobytes() if c.dtype == torch.bfloat16 else c.numpy().tobytes()
        out[k] = {"dtype": str(c.dtype)[6:], "shape": list(c.shape), "hex": raw.hex(), "grad": v.requires_grad}
    json.dump(out, open("small.json", "w"), indent=0)
    torch.save({"function": os.system, "class": torch.nn.Linear, "numpy": np.float64(0.5), "dtype": torch.float32,
                "device": torch.device("cpu"), "model": model, "model_state_dict": model.state_dict(),
                "default": collections.defaultdict(list, {"a": [1]})}, "foreign.pt")
    torch.save(model.state_dict(), "legacy.pt", _use_new_zipfile_serialization=False)
    torch.jit.script(model).save("script.pt")
    pickle.dump({"a": 1}, open("bare.pkl", "wb"), protocol=2)


main()
