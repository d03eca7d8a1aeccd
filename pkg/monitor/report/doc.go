// Package report shows training runs as one web page: what happened, what was found, the samples over time, and a chart of
// each value of the log. [Write] makes a file that needs nothing else; [Handler] serves the same page for runs that go on.
//
// It is given the runs and knows no run folder. The page uses no framework and asks nothing of the network but, when it is
// served, its own server.
package report
