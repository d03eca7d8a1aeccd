package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/monitor/report"
)

func newReport() *cobra.Command {
	var out string
	var say consoleFlags
	cmd := &cobra.Command{
		Use:   "report RUN...",
		Short: "Write a page about one or several runs: curves, samples, diagnosis",
		Long: `Write one HTML file about one or several runs, finished or not: the curves of every loss,
score, rate and time, the sample pictures over the run, what the diagnosis found, and the
settings. The file needs no network and nothing beside it. A folder of runs stands for all
runs in it; several are drawn over each other. Of a long run, sixty moments have pictures.`,
		Example: `  tigas-train report runs/00000-gan-demo
  tigas-train report runs/a runs/b --out compare.html
  tigas-train report runs/ --out all.html`,
		Args: runsArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			file := output{"--out", out, ".html"}
			if err := checkOutputs(file); err != nil {
				return err
			}
			runs, err := viewRuns(args, say.console(cmd.ErrOrStderr()))
			if err != nil {
				return err
			}
			if err = prepareOutputs(file); err != nil {
				return err
			}
			if err = monitor.WriteFile(out, func(w io.Writer) error { return report.Write(w, runs) }); err != nil {
				return coded(exitOutput, err)
			}
			fmt.Fprintln(cmd.OutOrStdout(), out)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&out, "out", "report.html", "file to write; one that is there is replaced")
	say.register(f)
	return cmd
}

// runsArg wants one run at least.
func runsArg(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usagef("%s takes run folders, or folders of runs", cmd.Name()).withHint("such as runs/00000-gan-demo")
	}
	return nil
}

// viewRuns reads all runs that a command line names, once.
func viewRuns(args []string, console *monitor.Console) ([]report.Run, error) {
	once := viewCache{console: console}
	return once.runs(args)
}
