# Makes the archives beside it with PyTorch 1.13 or later: what Python writes, of every kind of value that a module may hold.
import enum
from typing import Dict, List, Optional, Tuple

import torch
from torch import Tensor, nn


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.register_buffer("strided", torch.arange(24.0).reshape(4, 6).t()[1:4, ::2])

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class State(nn.Module):
    def __init__(self):
        super().__init__()
        self.v = torch.ones(2)

    @torch.jit.export
    def __getstate__(self) -> Tuple[Tensor, bool]:
        return self.v, self.training

    @torch.jit.export
    def __setstate__(self, s: Tuple[Tensor, bool]) -> None:
        self.v = s[0]
        self.training = s[1]

    def forward(self, x: Tensor) -> Tensor:
        return x + self.v.sum()


class All(nn.Module):
    def __init__(self):
        super().__init__()
        self.ints = torch.jit.Attribute([1, -2, 1 << 40], List[int])
        self.floats = torch.jit.Attribute([1.5, -2.5], List[float])
        self.bools = torch.jit.Attribute([True, False], List[bool])
        self.tensors = torch.jit.Attribute([torch.ones(3), torch.zeros(2)], List[Tensor])
        self.names = torch.jit.Attribute({"a": torch.ones(2), "b": torch.zeros(1)}, Dict[str, Tensor])
        self.by_int = torch.jit.Attribute({1: "a", 2: "b"}, Dict[int, str])
        self.nest = torch.jit.Attribute({"x": [[1, 2], [3]]}, Dict[str, List[List[int]]])
        self.opt = torch.jit.Attribute(None, Optional[int])
        self.tup = torch.jit.Attribute((1, 2.5, "three"), Tuple[int, float, str])
        self.dev = torch.device("cpu")
        self.colour = Colour.BLUE
        self.complex = 1 + 2j
        self.inner = nn.ModuleList([Inner(), Inner()])
        self.shared = self.inner[0].conv
        self.state = State()
        for name, t in {
            "half": torch.ones(3).half(), "b16": torch.ones(3).bfloat16(), "truth": torch.tensor([True]),
            "cfloat": torch.ones(2, dtype=torch.cfloat), "conj": torch.ones(2, dtype=torch.cfloat).conj(),
            "scalar": torch.tensor(3), "empty": torch.empty(0, 3), "expanded": torch.ones(1).expand(5, 7),
        }.items():
            self.register_buffer("b_" + name, t)
        self.w = nn.Parameter(torch.ones(2), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        s = 0
        for i in self.ints:
            s += i
        if self.colour == Colour.RED:
            s += 1
        elif x.size(0) > 3 and not x.is_cuda or s < 2:
            s += 2
        for m in self.inner:
            x = m(x) if x.dim() == 4 else x
        if self.opt is not None:
            raise ValueError('no (way, "x" {}'.format(s))
        k = torch.tensor([1.5, 2.5]) + self.floats[0] + self.names["a"].sum() + self.nest["x"][0][1] + self.tup[1]
        return self.state(x).sum() + k.sum() + s


torch.manual_seed(1)
torch.jit.save(torch.jit.script(All()), "testdata/python.pt", _extra_files={"note.txt": "hello"})

m = nn.Sequential(torch.quantization.QuantStub(), nn.Conv2d(3, 4, 3), nn.ReLU(), torch.quantization.DeQuantStub()).eval()
torch.backends.quantized.engine = "fbgemm" if "fbgemm" in torch.backends.quantized.supported_engines else "qnnpack"
m.qconfig = torch.quantization.get_default_qconfig(torch.backends.quantized.engine)
torch.quantization.prepare(m, inplace=True)
m(torch.ones(1, 3, 8, 8))
torch.quantization.convert(m, inplace=True)
torch.jit.save(torch.jit.script(m), "testdata/quantised.pt")
