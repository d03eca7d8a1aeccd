package monitor_test

import (
	"fmt"
	"os"
	"time"

	"github.com/tigas-train/tigas-train/pkg/monitor"
)

func ExampleConsole() {
	c := &monitor.Console{W: os.Stdout}
	c.Tick(monitor.Tick{Step: 1, Kimg: 0.1, Elapsed: 28 * time.Second, ETA: 80 * time.Second, Rate: 812,
		Values: []monitor.Value{{Name: "D", Value: -1}, {Name: "score", Value: 0.488}}})
	c.Warn("disk %s is nearly full", "/data")
	// Output:
	// tick 0    kimg 0.1     step 1      time 28s      img/s 812.0   D -1.000 score 0.488 eta 1m 20s
	// warning: disk /data is nearly full
}

func ExampleRate() {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r := monitor.NewRate(start, 0)
	r.Observe(start.Add(30*time.Second), 64) // the first step is slow
	r.Observe(start.Add(40*time.Second), 4064)
	fmt.Println(r.PerSecond(), monitor.Duration(r.ETA(100_064)))
	// Output:
	// 400 4m 00s
}
