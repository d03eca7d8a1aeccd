package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// choices are the values that a flag of a command takes, for help and completion: nil where they are not words. open: it takes
// others too. The packages that read the values have the lists, or the constants; a test gives every choice to the command.
func choices(cmd *cobra.Command, flag string) (l []string, open bool) {
	switch flag {
	case "arch":
		if cmd.Name() == "gan" {
			return models.Archs, false
		}
		return models.UNetPresets, false
	case "aug":
		return []string{"none", "color", "translation", "cutout", "color,translation,cutout"}, true
	case "augment":
		return []string{"none", "light", "strong"}, false
	case "cfg":
		return trainers.StylePresets, false
	case "crop":
		if cmd.Name() == "score" {
			return []string{cropStretch, string(data.CropCenter)}, false
		}
		return []string{string(data.CropCenter), string(data.CropRandom)}, false
	case "data":
		if cmd.Name() != "eval" {
			return []string{"demo"}, true
		}
	case "device":
		return []string{"cpu", "cuda"}, true
	case "format":
		return formats, false
	case "gamma", "kl-warmup", "tigas-warmup":
		return []string{"auto"}, true
	case "keep-best":
		return []string{"auto", "none", "-score", "mse"}, true
	case "log-format":
		return []string{"text", "json"}, false
	case "loss":
		return wordsOf(trainers.GANLosses), false
	case "loss-weight":
		return wordsOf([]trainers.LossWeight{trainers.MinSNR, trainers.UniformWeight, trainers.NoiseWeight}), false
	case "lr-decay":
		return []string{"none", "cosine", "linear"}, false
	case "model":
		if cmd.Name() == "eval" {
			return []string{"embedded", "hub", "none"}, true
		}
		return []string{"embedded", "hub"}, true
	case "net":
		return []string{"generator", "discriminator", "decoder", "encoder", "network"}, false
	case "net-range":
		return rangesOf(cmd), false
	case "noise-mode":
		if cmd.Name() == "interpolate" {
			return []string{"const", "none"}, false
		}
		return []string{"const", "random", "none"}, false
	case "precision":
		return append([]string{auto}, wordsOf(trainers.Precisions)...), false
	case "channels-last":
		return []string{auto, "on", "off"}, false
	case "cuda-graphs":
		return wordsOf(trainers.GraphModes), false
	case "predict":
		return wordsOf([]trainers.Prediction{trainers.PredictV, trainers.PredictNoise, trainers.PredictX0}), false
	case "recon":
		return wordsOf([]trainers.ReconstructionKind{trainers.MSEReconstruction, trainers.L1Reconstruction, trainers.BCEReconstruction}), false
	case "reduction":
		return wordsOf([]trainers.Reduction{trainers.SumReduction, trainers.MeanReduction}), false
	case "resume":
		return []string{"auto", "latest"}, true
	case "sampler":
		return []string{trainers.MethodDDIM, trainers.MethodDDPM}, false
	case "schedule":
		return []string{sched.CosineNoise, sched.LinearNoise, sched.SigmoidNoise}, false
	case "sort":
		return []string{sortScore, sortPath, sortNone}, false
	case "tigas-form":
		return []string{tigas.Linear.String(), tigas.Log.String(), tigas.Logit.String()}, false
	case "tigas-model":
		return []string{"embedded", "hub"}, true
	case "tigas-on":
		return wordsOf([]trainers.VAETerm{trainers.TermOnReconstructions, trainers.TermOnPrior, trainers.TermOnBoth}), false
	}
	return nil, false
}

func wordsOf[T ~string](l []T) (out []string) {
	for _, s := range l {
		out = append(out, string(s))
	}
	return slices.Clip(out)
}
