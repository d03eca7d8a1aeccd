package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/monitor/report"
)

func newWatch() *cobra.Command {
	listen := "127.0.0.1:6060"
	var hosts []string
	var say consoleFlags
	cmd := &cobra.Command{
		Use:   "watch RUN...",
		Short: "Serve the page of report, live, while runs train",
		Long: `Serve the page of report for a browser, and keep it up to date while runs train. A folder
of runs stands for all runs in it, those that begin later too. Nothing is written. It
listens on this machine only unless --listen says otherwise; there is no password. From
another machine, ssh -L 6060:127.0.0.1:6060 HOST is the safe way.`,
		Example: `  tigas-train watch runs/
  tigas-train watch runs/a runs/b --listen 127.0.0.1:8080
  tigas-train watch runs/ --listen 0.0.0.0:6060 --host gpu1.example`,
		Args: runsArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			console := say.console(cmd.ErrOrStderr())
			if _, err := viewRuns(args); err != nil {
				return err
			}
			l, err := net.Listen("tcp", listen)
			if err != nil {
				return (&hinted{code: exitUsage, err: fmt.Errorf("--listen: %w", err)}).withHint("another port, such as --listen 127.0.0.1:0 for a free one")
			}
			if a, ok := l.Addr().(*net.TCPAddr); ok && !a.IP.IsLoopback() {
				console.Warn("everybody who reaches %s can see the runs, their settings and paths", l.Addr())
			}
			var known viewCache
			load := func() ([]report.Run, error) { return known.runs(args) }
			server := &http.Server{Handler: report.Handler(load, hosts...), ReadHeaderTimeout: 10 * time.Second,
				ErrorLog: log.New(io.Discard, "", 0)} // of browsers that went away
			fmt.Fprintf(cmd.OutOrStdout(), "http://%s/\n", l.Addr())
			console.Message("watching  Ctrl-C ends it; the runs are not touched")
			ended := make(chan error, 1)
			go func() { ended <- server.Serve(l) }()
			select {
			case err = <-ended:
			case <-cmd.Context().Done():
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				_ = server.Shutdown(ctx) // whoever still reads a page is cut off
			}
			if err != nil && !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", listen, "address and port; port 0 takes a free one")
	f.StringSliceVar(&hosts, "host", nil, "names that the browser may use for this machine besides localhost and addresses")
	say.register(f)
	return cmd
}

// viewCache keeps what was read of runs that have not changed since: a page asks every two seconds.
type viewCache struct{ views map[string]cachedView }

type cachedView struct {
	stamp string
	view  report.Run
}

// runs are those of a command line. One that cannot be read now, since it is being made, is left out as long as there is another.
func (c *viewCache) runs(args []string) (runs []report.Run, err error) {
	dirs, err := expandRuns(args)
	if err != nil {
		return nil, err
	}
	next := map[string]cachedView{}
	for _, dir := range dirs {
		v := c.views[dir]
		if stamp := runStamp(dir); stamp == "" || stamp != v.stamp {
			view, e := viewRun(dir)
			if e != nil {
				err = e
				continue
			}
			v = cachedView{stamp, view}
		}
		next[dir] = v
		runs = append(runs, v.view)
	}
	c.views = next
	if len(runs) > 0 {
		err = nil
	}
	return runs, err
}

// runStamp changes whenever a run does.
func runStamp(dir string) (stamp string) {
	run := checkpoint.Run{Dir: dir}
	for _, path := range []string{run.Log(), run.Sample("."), dir} {
		if info, err := os.Stat(path); err == nil {
			stamp += fmt.Sprint(info.Size(), info.ModTime().UnixNano(), " ")
		}
	}
	return stamp
}
