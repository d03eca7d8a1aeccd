package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/monitor"
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
			known := viewCache{console: console}
			if _, err := known.runs(args); err != nil {
				return err
			}
			l, err := net.Listen("tcp", listen)
			if err != nil {
				return (&hinted{code: exitUsage, err: fmt.Errorf("--listen: %w", err)}).withHint("another port, such as --listen 127.0.0.1:0 for a free one")
			}
			address := l.Addr().String()
			if a, ok := l.Addr().(*net.TCPAddr); ok && !a.IP.IsLoopback() {
				if a.IP.IsUnspecified() {
					address = net.JoinHostPort(hostName(), strconv.Itoa(a.Port))
				}
				console.Warn("everybody who reaches this machine at port %d can see the runs, their settings and paths", a.Port)
			}
			load := func() ([]report.Run, error) { return known.runs(args) }
			hosts = append(hosts, hostName()) // it is in the address that is printed
			server := &http.Server{Handler: report.Handler(load, hosts...), ReadHeaderTimeout: 10 * time.Second,
				ErrorLog: log.New(io.Discard, "", 0)} // of browsers that went away
			fmt.Fprintf(cmd.OutOrStdout(), "http://%s/\n", address)
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

// hostName is what other machines may know this one as.
func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	return name
}

// viewCache keeps what was read of runs that have not changed since: a page asks every two seconds.
type viewCache struct {
	views   map[string]cachedView
	console *monitor.Console
}

type cachedView struct {
	stamp string
	view  report.Run
	log   *monitor.LogTail
	err   string // why it cannot be read, which was said
}

// runs are those of a command line. One that cannot be read costs the others nothing; if that is all there is, it is an error.
func (c *viewCache) runs(args []string) (runs []report.Run, err error) {
	dirs, err := expandRuns(args)
	if err != nil {
		return nil, err
	}
	next, readable := map[string]cachedView{}, 0
	warn := c.views != nil || len(dirs) > 1 // else the error says it
	for _, dir := range dirs {
		v := c.views[dir]
		if stamp := runStamp(dir); stamp == "" || stamp != v.stamp || v.err != "" {
			if v.log == nil {
				run := checkpoint.Run{Dir: dir}
				v.log = monitor.NewLogTail(run.Log())
			}
			view, e := viewRun(dir, v.log)
			if e != nil {
				bad := unreadableRun(dir, e)
				if warn && bad.Err != v.err {
					c.console.Warn("%s: %s", dir, bad.Err)
				}
				err, v.err = cmp.Or(err, e), bad.Err
				next[dir] = v
				runs = append(runs, bad)
				continue
			}
			v.stamp, v.view, v.err = stamp, view, ""
		}
		next[dir] = v
		view := v.view
		view.Running = holds(dir) // which changes without the files
		runs = append(runs, view)
		readable++
	}
	c.views = next
	if readable > 0 {
		return runs, nil
	}
	return nil, err
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
