#!/usr/bin/env python3
"""Writes diffusion_steps.json: what diffusers' DDIMScheduler and DDPMScheduler make of a stand-in for a network.

Run with diffusers installed: python3 make_diffusion_steps.py > diffusion_steps.json (made with diffusers 0.27.2).
The stand-in returns 0.3 x + 0.1; start and noise are a formula that the Go test repeats.
"""
import json
import numpy as np
import torch
from diffusers.schedulers import scheduling_ddim, scheduling_ddpm

T, N = 1000, 6


def numbers(j, n):
    """n numbers in [-1, 1) that look random, the same in every language."""
    h = (np.arange(n, dtype=np.uint64) * np.uint64(2654435761) + np.uint64(j * 104729 + 12345)) & np.uint64(0xFFFFFFFF)
    h = ((h ^ (h >> np.uint64(15))) * np.uint64(2246822519)) & np.uint64(0xFFFFFFFF)
    h = h ^ (h >> np.uint64(13))
    return h.astype(np.float64) / 2147483648.0 - 1


def noise(j):
    return torch.from_numpy(numbers(j, N)).float().reshape(1, 1, 1, N)


drawn = [0]


def draw(*args, **kwargs):
    drawn[0] += 1
    return noise(drawn[0])


scheduling_ddpm.randn_tensor = scheduling_ddim.randn_tensor = draw
PREDICTION = {"eps": "epsilon", "v": "v_prediction", "x0": "sample"}
KIND = {"linear": "linear", "cosine": "squaredcos_cap_v2"}
cases = []
for kind in KIND:
    for prediction in PREDICTION:
        for clip in (False, True):
            if prediction == "eps" and not clip and kind == "cosine":
                continue  # divides by 5e-5 at the last step: float32 has no digits left
            for method, grid, eta, variance in (("ddim", "trailing", 0, ""), ("ddim", "leading", 0.5, ""), ("ddim", "trailing", 1, ""),
                                                ("ddpm", "trailing", 0, "fixed-small"), ("ddpm", "leading", 0, "fixed-large")):
                common = dict(num_train_timesteps=T, beta_start=1e-4, beta_end=0.02, beta_schedule=KIND[kind],
                              clip_sample=clip, prediction_type=PREDICTION[prediction], timestep_spacing=grid)
                if method == "ddim":
                    s = scheduling_ddim.DDIMScheduler(set_alpha_to_one=True, **common)
                    more = dict(eta=eta, use_clipped_model_output=clip)
                else:
                    s = scheduling_ddpm.DDPMScheduler(variance_type=variance.replace("-", "_"), **common)
                    more = {}
                s.set_timesteps(4)
                drawn[0], x, steps = 0, 2 * noise(0), []
                for t in s.timesteps:
                    x = s.step(0.3 * x + 0.1, t, x, **more).prev_sample
                    steps.append([float("%.7g" % v) for v in x.flatten().tolist()])
                cases.append({"kind": kind, "prediction": prediction, "clip": clip, "method": method, "grid": grid, "eta": eta,
                              "variance": variance, "times": s.timesteps.tolist(), "x": steps})
print("[" + ",\n".join(json.dumps(c) for c in cases) + "]")
