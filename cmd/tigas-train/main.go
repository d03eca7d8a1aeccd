// Command tigas-train trains image generators on libtorch, with the TIGAS realism score as an extra loss.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/monitor"
)

// sameSignal is how long after a signal others are taken for the same one.
const sameSignal = time.Second

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run executes one command line and returns the exit code. Results go to stdout, everything else to stderr.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// Further signals belong to the first for a moment: timeout(1) and others signal a process and then its group. After that
	// one ends the program at once.
	context.AfterFunc(ctx, func() { time.AfterFunc(sameSignal, stop) })
	root := newRoot()
	root.SetArgs(jsonArgument(args))
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	code := exitCode(err)
	if errors.Is(err, torch.ErrNondeterministic) {
		err = fmt.Errorf("--deterministic: %w", err)
	}
	fmt.Fprintf(stderr, "tigas-train: error: %s%s\n", monitor.Printable(blame(cmd, err)), oneLine(err))
	var hint *hinted
	if errors.As(err, &hint) && hint.hint != "" {
		fmt.Fprintf(stderr, "tigas-train: hint: %s\n", hint.hint)
	}
	return code
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "tigas-train",
		Short: "Train image generators with the TIGAS realism score as an extra loss",
		Long: `tigas-train trains image generators natively on libtorch, with the TIGAS realism score as
an extra loss: 1 - mean(score) of a frozen detector, added with a weight.`,
		Example: `  tigas-train gan --tigas-weight 0.1 --out runs/a           # demo pictures, at once
  tigas-train stylegan --data photos/ --resolution 64 --device cuda
  tigas-train gan --data photos/ --dry-run                  # what would be done; nothing is written
  tigas-train config init gan > run.yaml                    # every flag, with what it means
  tigas-train gan --config run.yaml --kimg 200
  tigas-train sample runs/a --n 64 --out grid.png
  tigas-train watch runs/                                   # curves and samples, live in a browser
  tigas-train report runs/a --out report.html               # the same as one file
  tigas-train score photos/                                 # is this one real?
  tigas-train doctor                                        # what this machine has`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,

		PersistentPreRunE: settle,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	root.SetFlagErrorFunc(flagUsage)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { commandHelp(cmd.OutOrStdout(), cmd) })
	cobra.EnableCommandSorting = false // the order below is that of the help text
	add := func(title string, commands ...*cobra.Command) {
		root.AddGroup(&cobra.Group{ID: title, Title: title})
		for _, c := range commands {
			c.GroupID = title
		}
		root.AddCommand(commands...)
	}
	add("Train", newGAN(), newStyleGAN(), newVAE(), newDiffusion())
	add("Look at results, use them", newSample(), newInterpolate(), newReconstruct(), newEval(), newReport(), newWatch(), newProgression(), newExport())
	add("Detector", newScore(), newDetector())
	add("Set up", newConfig(), newDoctor(), newMan(), newVersion())
	root.SetHelpCommandGroupID("Set up")
	root.SetCompletionCommandGroupID("Set up")
	everyCommand(root, func(c *cobra.Command) {
		c.Flags().BoolP("help", "h", false, "show this text")
		completeFlags(c)
	})
	return root
}

// flagUsage is the error of a command line that cannot be read.
func flagUsage(cmd *cobra.Command, err error) error {
	e := usagef("%s", flagError(err))
	instead := ""
	if unknown := (*pflag.NotExistError)(nil); errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "" {
		if instead = insteadOf(cmd, unknown.GetSpecifiedName(), "--"); instead != "" {
			instead += " "
		}
	}
	return e.withHint("%s", instead+"see "+cmd.CommandPath()+" --help")
}

// flagError says what a flag wants where pflag says which function of Go could not read its value.
func flagError(err error) string {
	var bad *pflag.InvalidValueError
	if !errors.As(err, &bad) {
		return err.Error()
	}
	want, ok := map[string]string{"int": "a whole number", "int64": "a whole number", "float64": "a number",
		"float64Slice": "numbers with commas between them", "bool": "true or false"}[bad.GetFlag().Value.Type()]
	if !ok {
		return err.Error()
	}
	return fmt.Sprintf("--%s: got %q vs %s", bad.GetFlag().Name, bad.GetValue(), want)
}

func unknownCommand(cmd *cobra.Command, name string) error {
	e := usagef("unknown command %q", name)
	names := []string{}
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	if near := closest(name, names); near != "" {
		return e.withHint("did you mean %s %s?", cmd.CommandPath(), near)
	}
	return e.withHint("see %s --help for the commands", cmd.CommandPath())
}

// oneLine keeps an error's text on one line, whatever a library put into it.
func oneLine(err error) string {
	return monitor.Printable(strings.Join(strings.Fields(err.Error()), " "))
}
