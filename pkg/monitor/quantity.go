package monitor

import (
	"slices"
	"strings"
)

// Panel is a group of values that are read against each other: a chart of the report.
type Panel string

// The panels, in the order in which one asks.
const (
	PanelScore    Panel = "TIGAS score"
	PanelSamples  Panel = "Samples against the data"
	PanelLoss     Panel = "Loss"
	PanelCritic   Panel = "Critic"
	PanelTerm     Panel = "TIGAS term"
	PanelGradient Panel = "Gradient norm"
	PanelRate     Panel = "Learning rate"
	PanelSpeed    Panel = "Speed"
	PanelTime     Panel = "Time of a step"
	PanelMemory   Panel = "Memory of the GPU"
	PanelOther    Panel = "Other"
)

// Panels are all of them in their order.
func Panels() []Panel {
	return []Panel{PanelScore, PanelSamples, PanelLoss, PanelCritic, PanelTerm, PanelGradient, PanelRate, PanelSpeed, PanelTime, PanelMemory, PanelOther}
}

// Quantity is what a value of the log is.
type Quantity struct {
	Name  string // in log.jsonl
	Tag   string // in TensorBoard: that of stylegan2-ada where it means the same
	Title string // in a few words, with its unit
	Panel Panel
}

// quantities are the values with names of their own. What is made of another name is in [QuantityOf].
var quantities = []Quantity{
	{"score", "TIGAS/score_fake", "mean score of the batches in training", PanelScore},
	{"epoch_score", "Generator/TIGAS_score", "mean score over the last whole epoch", PanelScore},
	{"sample_score", "TIGAS/score_samples", "mean score of the fixed samples", PanelScore},
	{"sample_score_perturbed", "TIGAS/score_perturbed", "mean score of the fixed samples, blurred or compressed a little: the lower of the two", PanelScore},
	{"data_score", "TIGAS/score_real", "mean score of real pictures", PanelScore},
	{"data_score_perturbed", "TIGAS/score_real_perturbed", "mean score of real pictures, blurred or compressed a little: the lower of the two", PanelScore},

	{"sample_diversity", "Samples/diversity", "how different two samples are: mean RMS distance at 16x16, of 255", PanelSamples},
	{"data_diversity", "Samples/diversity_real", "how different two real pictures are: mean RMS distance at 16x16, of 255", PanelSamples},
	{"sample_detail", "Samples/detail", "fine detail of the samples: RMS of what a 3x3 blur takes away, of 255", PanelSamples},
	{"data_detail", "Samples/detail_real", "fine detail of real pictures: RMS of what a 3x3 blur takes away, of 255", PanelSamples},

	{"total", "Loss/total", "whole loss of the generator or model", PanelLoss},
	{"G", "Loss/G/loss", "adversarial loss of the generator", PanelLoss},
	{"D", "Loss/D/loss", "loss of the critic", PanelLoss},
	{"gp", "Loss/gp", "gradient penalty", PanelLoss},
	{"r1", "Loss/r1_penalty", "R1 penalty", PanelLoss},
	{"path_loss", "Loss/pl_penalty", "path length penalty", PanelLoss},
	{"recon", "VAE/recon", "reconstruction loss", PanelLoss},
	{"kl", "VAE/kl", "KL divergence", PanelLoss},
	{"mse", "Loss/mse", "mean squared error", PanelLoss},
	{"mse_q0", "Loss/mse_q0", "mean squared error, first quarter of the timesteps", PanelLoss},
	{"mse_q1", "Loss/mse_q1", "mean squared error, second quarter", PanelLoss},
	{"mse_q2", "Loss/mse_q2", "mean squared error, third quarter", PanelLoss},
	{"mse_q3", "Loss/mse_q3", "mean squared error, last quarter", PanelLoss},
	{"tigas_loss", "Loss/tigas", "TIGAS loss times its weight", PanelLoss},

	{"scores_real", "Loss/scores/real", "critic's output for real pictures", PanelCritic},
	{"scores_fake", "Loss/scores/fake", "critic's output for generated pictures", PanelCritic},
	{"signs_real", "Loss/signs/real", "mean sign of the critic's output for real pictures: 1 when it is never wrong", PanelCritic},
	{"signs_fake", "Loss/signs/fake", "mean sign of the critic's output for generated pictures: -1 when it is never wrong", PanelCritic},

	{"tigas", "TIGAS/loss", "TIGAS loss before its weight, 1 - score for the linear form", PanelTerm},
	{"tigas_weight", "TIGAS/weight", "weight of the TIGAS loss by its schedule", PanelTerm},
	{"tigas_grad_ratio", "TIGAS/grad_ratio", "gradient of the TIGAS term over that of the rest of the loss, norms", PanelTerm},
	{"tigas_dropped", "TIGAS/dropped", "share of the steps in which the term was left out since it was not finite", PanelTerm},

	{"img_per_sec", "Throughput/img_per_sec", "real images a second", PanelSpeed},
	{GPUAllocated, "Resources/gpu_allocated_mib", "memory of the GPU in tensors at the end of the tick, MiB", PanelMemory},
	{GPUPeak, "Resources/gpu_peak_mib", "memory of the GPU in tensors, the most in the tick, MiB", PanelMemory},
	{GPUReserved, "Resources/gpu_reserved_mib", "memory of the GPU that libtorch keeps for tensors, MiB", PanelMemory},
	{"path_length", "Loss/path_length", "mean path length", PanelOther},
	{"active_units", "VAE/active_units", "latent dimensions in use", PanelOther},
	{"x0_clipped", "Loss/x0_clipped", "share of the predicted pixels outside of the range", PanelOther},
}

// QuantityOf says what a name of the log means. A name that it does not know is its own title.
func QuantityOf(name string) Quantity {
	if i := rank(name); i < len(quantities) {
		return quantities[i]
	}
	if net, ok := strings.CutPrefix(name, "lr_"); ok {
		return Quantity{name, "LR/" + net, "learning rate of " + net, PanelRate}
	}
	if net, ok := strings.CutSuffix(name, "_grad_norm"); ok {
		return Quantity{name, "Grad/" + net + "_norm", "norm of the gradient of " + strings.ReplaceAll(net, "_", ", "), PanelGradient}
	}
	if net, ok := strings.CutPrefix(name, "skipped_"); ok {
		return Quantity{name, "Grad/" + net + "_skipped", "updates of " + strings.ReplaceAll(net, "_", ", ") + " that were left out", PanelOther}
	}
	if net, ok := strings.CutPrefix(name, "scale_"); ok {
		return Quantity{name, "Grad/" + net + "_scale", "factor on the loss of " + net + " in float16", PanelOther}
	}
	if phase, ok := strings.CutPrefix(name, PhasePrefix); ok {
		tag := "Timing/" + phase
		if phase == "optimizer" {
			tag = "Timing/opt"
		}
		return Quantity{name, tag, "seconds of a step: " + PhaseTitle(phase), PanelTime}
	}
	return Quantity{name, "Other/" + name, name, PanelOther}
}

// rank is the place of a name among the quantities; those that are not known come last.
func rank(name string) int {
	if i := slices.IndexFunc(quantities, func(q Quantity) bool { return q.Name == name }); i >= 0 {
		return i
	}
	return len(quantities)
}
