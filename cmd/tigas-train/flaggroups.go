package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagGroup is a titled part of a command's flags, for --help, manual pages and configuration files. Its flags stand in the
// order in which they are shown, each as name or name=VALUE: what stands for the value, a unit where there is one.
type flagGroup struct{ title, flags string }

// trainGroups are those of the commands that train generators. A new flag of theirs goes into one of these lines.
var trainGroups = []flagGroup{
	{"Data", "data=PATH resolution=PIXELS crop mirror workers=N"},
	{"Networks", "arch cfg network=FILE generator=FILE discriminator=FILE encoder=FILE decoder=FILE net-range " +
		"latent=N style-dim=N map-depth=LAYERS ngf=CHANNELS ndf=CHANNELS width=CHANNELS channel-base=N channel-max=CHANNELS " +
		"mbstd-group=N dropout=PROBABILITY ema-kimg=KIMG ema=DECAY"},
	{"Loss", "loss=LOSS critic-steps=N gp-lambda=WEIGHT clip=LIMIT gamma=WEIGHT r1-every=STEPS pl-weight=WEIGHT pl-every=STEPS " +
		"mixing=PROBABILITY aug=KIND,... recon reduction beta=WEIGHT kl-warmup=LENGTH free-bits=NATS predict schedule timesteps=N " +
		"loss-weight snr-gamma=N"},
	{"Optimiser", "batch=IMAGES lr=RATE g-lr=RATE d-lr=RATE lr-warmup=LENGTH lr-decay beta1=N beta2=N weight-decay=N clip-grad=NORM"},
	{"TIGAS term", "tigas-weight=WEIGHT tigas-model=DETECTOR tigas-on tigas-max-timestep=T tigas-start=LENGTH tigas-warmup=LENGTH " +
		"tigas-every=STEPS tigas-no-compensate tigas-form tigas-scales=N,... tigas-no-antialias tigas-augment"},
	{"Run length and output", "kimg=KIMG steps=STEPS max-time=TIME seed=N out=DIR tick=KIMG snap=KIMG grid=N sampler " +
		"sample-steps=N eta=SHARE tensorboard"},
	{"Snapshots and resuming", "resume=RUN transfer=RUN snapshot-kimg=KIMG keep=N keep-kimg=KIMG keep-best=NAME"},
	{machineGroup.title, "device=DEVICE precision channels-last cuda-graphs threads=N deterministic quiet log-format"},
	{"Configuration and help", "config=FILE dry-run changed format help"},
}

var machineGroup = flagGroup{"Machine and console", "device=DEVICE threads=N deterministic quiet log-format"}

var detectorGroups = []flagGroup{
	{"Data", "real=PATH fake=PATH val-real=PATH val-fake=PATH resolution=PIXELS augment workers=N"},
	{"Network", "width=CHANNELS feature=N init=FILE"},
	{"Loss and optimiser", "batch=IMAGES lr=RATE smoothing=DISTANCE mixup=SHARE"},
	{"Run length and output", "epochs=N kimg=KIMG patience=EPOCHS seed=N out=DIR"},
	machineGroup,
	{"Configuration and help", "config=FILE changed format help"},
}

var otherGroups = []flagGroup{
	{"Input", "data=PATH real=PATH fake=PATH model=DETECTOR repo=OWNER/NAME file=NAME revision=NAME force clear limit=PICTURES size=PIXELS " +
		"crop batch=PICTURES workers=N"},
	{"Pictures", "n=PICTURES frames=PICTURES keys=N walks=N columns=N moments=N fps=FPS scale=N kimg=KIMG seed=N"},
	{"StyleGAN", "trunc=PSI trunc-cutoff=LAYERS noise-mode"},
	{"Diffusion", "sampler steps=N eta=SHARE"},
	{"Output", "torchscript=FILE safetensors=FILE net raw out=PATH logits threshold=SCORE sort show-top json plot roc sheet min-auc=AREA listen=ADDRESS host=NAME " +
		"changed format no-descriptions"},
	machineGroup,
	{"Help", "help"},
}

// isTraining tells whether a command trains a generator.
func isTraining(cmd *cobra.Command) bool { return slices.Contains(trainCommands, cmd.Name()) }

// trainCommands are the commands that train generators.
var trainCommands = []string{"gan", "stylegan", "vae", "diffusion"}

// otherFlags is the title for flags that no group has. A test keeps it from being needed.
const otherFlags = "Other flags"

// groupedFlags are the flags of a part of a command's help.
type groupedFlags struct {
	title string
	flags []*pflag.Flag
}

// groupsOf puts the flags of a command into their groups.
func groupsOf(cmd *cobra.Command) (l []groupedFlags) {
	seen := map[string]bool{}
	for _, g := range groupTable(cmd) {
		part := groupedFlags{title: g.title}
		for word := range strings.FieldsSeq(g.flags) {
			name, _, _ := strings.Cut(word, "=")
			if f := cmd.Flags().Lookup(name); f != nil && !f.Hidden {
				part.flags = append(part.flags, f)
				seen[name] = true
			}
		}
		if part.flags != nil {
			l = append(l, part)
		}
	}
	rest := groupedFlags{title: otherFlags}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !seen[f.Name] && !f.Hidden {
			rest.flags = append(rest.flags, f)
		}
	})
	if rest.flags != nil {
		l = append(l, rest)
	}
	return l
}

func groupTable(cmd *cobra.Command) []flagGroup {
	switch {
	case isTraining(cmd):
		return trainGroups
	case commandName(cmd) == "detector train":
		return detectorGroups
	}
	return otherGroups
}

// metavar is what stands for a flag's value, "" for a switch: the name in backquotes in its text, its few choices, what the
// groups say, or its type.
func metavar(cmd *cobra.Command, f *pflag.Flag) string {
	name, _ := pflag.UnquoteUsage(f)
	if isSwitch(f) {
		return ""
	}
	if strings.Contains(f.Usage, "`") {
		return name
	}
	if c, open := choices(cmd, f.Name); !open && c != nil {
		if short := strings.Join(c, "|"); len(short) <= 26 {
			return short
		}
	}
	for _, g := range groupTable(cmd) {
		for word := range strings.FieldsSeq(g.flags) {
			if flag, value, ok := strings.Cut(word, "="); ok && flag == f.Name {
				return value
			}
		}
	}
	return strings.ToUpper(f.Name)
}

// isSwitch tells whether a flag stands alone.
func isSwitch(f *pflag.Flag) bool { return f.Value.Type() == "bool" }

// isList tells whether a flag takes several values.
func isList(cmd *cobra.Command, f *pflag.Flag) bool {
	_, many := f.Value.(pflag.SliceValue)
	return many || strings.HasSuffix(metavar(cmd, f), ",...")
}

// usage is the text of a flag without its backquotes.
func usage(f *pflag.Flag) string {
	_, text := pflag.UnquoteUsage(f)
	return text
}

// shownDefault is the default of a flag as its help shows it, "" where the text says what the default is, or where there is
// none worth a word.
func shownDefault(f *pflag.Flag) string {
	if strings.Contains(f.Usage, "(default ") {
		return ""
	}
	switch f.DefValue {
	case "", "0", "0s", "[]", "false":
		return ""
	}
	return f.DefValue
}

// automatic tells whether a flag's value stands for one that the program chooses.
func automatic(f *pflag.Flag, value string) bool {
	return value == f.DefValue && strings.Contains(f.Usage, "(default ")
}
