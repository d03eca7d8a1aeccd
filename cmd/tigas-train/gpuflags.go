package main

import (
	"github.com/spf13/pflag"

	"github.com/tigas-train/tigas-train/cgo/cuda"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// gpuFlags are the flags about how a GPU computes. "auto" means what is fastest on the device at no cost in quality.
type gpuFlags struct {
	Precision    string
	ChannelsLast string
	Graphs       string
}

const auto = "auto"

func (g *gpuFlags) register(f *pflag.FlagSet) {
	g.Precision, g.ChannelsLast, g.Graphs = auto, auto, auto
	f.StringVar(&g.Precision, "precision", auto, "of the networks: fp32, tf32, bf16, or fp16 on a GPU, with scaled losses; "+
		"gradient penalties are never below tf32 (auto: bf16 on a GPU that has it, else fp32)")
	f.StringVar(&g.ChannelsLast, "channels-last", auto, "memory format of the convolutions: on, off (auto: on where --precision is bf16 or fp16)")
	f.StringVar(&g.Graphs, "cuda-graphs", auto, "record the step and replay it: on, off (auto: on a GPU, where the step can be recorded)")
}

// validate refuses other words.
func (g gpuFlags) validate() error {
	if g.Precision != auto {
		if _, err := trainers.ParsePrecision(g.Precision); err != nil {
			return usagef("--precision: got %q vs auto, fp32, tf32, bf16 or fp16", g.Precision)
		}
	}
	if c := g.ChannelsLast; c != auto && c != "on" && c != "off" {
		return usagef("--channels-last: got %q vs auto, on or off", c)
	}
	if _, err := trainers.ParseGraphMode(g.Graphs); err != nil {
		return usagef("--cuda-graphs: got %q vs auto, on or off", g.Graphs)
	}
	return nil
}

// on refuses what the device does not do.
func (g gpuFlags) on(d torch.Device) error {
	if g.precision(d) == trainers.FP16 && !d.IsCUDA() {
		return usagef("--precision: fp16 wants a GPU: bf16 works on a CPU too")
	}
	if g.Graphs == string(trainers.GraphsOn) && !d.IsCUDA() {
		return usagef("--cuda-graphs on: got --device %s vs a GPU", d)
	}
	return nil
}

// precision is what the flags mean on a device.
func (g gpuFlags) precision(d torch.Device) trainers.Precision {
	if g.Precision != auto {
		return trainers.Precision(g.Precision)
	}
	const ampere = 8 // compute capability from which on bfloat16 is in the matrix units
	if p, err := cuda.PropertiesOf(d); err == nil && p.Major >= ampere {
		return trainers.BF16
	}
	return trainers.FP32
}

// channelsLast is what the flags mean on a device.
func (g gpuFlags) channelsLast(d torch.Device) bool {
	if g.ChannelsLast != auto {
		return g.ChannelsLast == "on"
	}
	p := g.precision(d)
	return d.IsCUDA() && (p == trainers.BF16 || p == trainers.FP16)
}
