# Loads modules that this program exported, as a user would: python3 load_export.py FILE... prints, for each, what its methods
# make of inputs that a formula gives, and the names of its state dict; then it trains one step and writes FILE.trained.
import json
import sys

import torch


def numbers(shape):
    n = 1
    for s in shape:
        n *= s
    return torch.sin(torch.arange(n, dtype=torch.float64) * 0.7).reshape(shape).float()


def inputs(m, method, n, shapes):
    return [torch.arange(n) if s == [] else numbers([n] + s) for s in shapes[method]]


def flat(out):
    ts = [out] if isinstance(out, torch.Tensor) else list(out)
    return [t.double().reshape(-1)[:: max(1, t.numel() // 50)].tolist() for t in ts]


result = []
torch.set_num_threads(1)
for path, shapes in zip(sys.argv[1::2], sys.argv[2::2]):
    shapes = json.loads(shapes)
    m = torch.jit.load(path)
    n = 8
    r = {"names": list(m.state_dict()), "parameters": [k for k, _ in m.named_parameters()], "training": m.training, "out": {}}
    with torch.no_grad():
        for method in shapes:
            r["out"][method] = flat(getattr(m, method)(*inputs(m, method, n, shapes)))
    m.train()
    method = "forward"
    optimizer = torch.optim.SGD(m.parameters(), lr=0.1)
    out = getattr(m, method)(*inputs(m, method, n, shapes))
    out = out if isinstance(out, torch.Tensor) else out[0]
    out.square().mean().backward()
    r["gradients"] = sum(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in m.parameters())
    optimizer.step()
    m.eval()
    m.save(path + ".trained")
    with torch.no_grad():
        r["after"] = flat(getattr(m, method)(*inputs(m, method, n, shapes)))
    result.append(r)
print(json.dumps(result))
