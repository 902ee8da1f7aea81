package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

const (
	// starts is how often start-up is timed.
	starts = 5
	// settling is how long a started server is left alone before its memory is read.
	settling = 5 * time.Second
)

// footprint is what a server takes before anybody asks it anything.
type footprint struct {
	name string
	// ready is the median time from the start of the process to its first 200.
	ready time.Duration
	// resident and binary are bytes.
	resident, binary int64
}

// measureFootprint starts the program on a filled data directory again and again,
// before the load is pinned, so that starting has the whole machine.
func measureFootprint(ctx context.Context, program program, dir string) (footprint, error) {
	file, err := os.Stat(program.binary)
	if err != nil {
		return footprint{}, err
	}
	print := footprint{name: program.name, binary: file.Size()}
	var times []time.Duration
	for i := range starts {
		server, took, err := start(ctx, program, dir)
		if err != nil {
			return footprint{}, err
		}
		times = append(times, took)
		if i == starts-1 {
			err = pause(ctx, settling)
			if err == nil {
				print.resident, err = server.residentBytes()
			}
		}
		if err := errors.Join(err, server.stop()); err != nil {
			return footprint{}, err
		}
	}
	slices.Sort(times)
	print.ready = times[len(times)/2]
	progress("%s: ready in %s (fastest %s, slowest %s)", program.name, print.ready, times[0], times[len(times)-1])
	return print, nil
}

// diskSync is the median time that the disk under dir takes to make 4 KiB
// durable: the floor of an acknowledged write.
func diskSync(dir string) (time.Duration, error) {
	file, err := os.CreateTemp(dir, "sync")
	if err != nil {
		return 0, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	page := make([]byte, 4096)
	times := make([]time.Duration, 200)
	for i := range times {
		began := time.Now()
		if _, err := file.Write(page); err != nil {
			return 0, fmt.Errorf("time the disk: %w", err)
		}
		if err := file.Sync(); err != nil {
			return 0, fmt.Errorf("time the disk: %w", err)
		}
		times[i] = time.Since(began)
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}

func pause(ctx context.Context, length time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(length):
		return nil
	}
}
