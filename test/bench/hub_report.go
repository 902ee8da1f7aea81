package main

import (
	"fmt"
	"strings"

	"github.com/botyard/botyard/internal/db"
)

// maxOfUpload is the memory that an upload may take, as a multiple of its body: the
// body, what is parsed of it, and what is stored of it.
const maxOfUpload = 6

// engineNames are what the engines are called in print.
var engineNames = map[db.Engine]string{db.SQLite: "SQLite", db.PostgreSQL: "PostgreSQL"}

// writeHub prints the figures of all engines side by side.
func (r *report) writeHub(b *strings.Builder) {
	size := r.options.hub
	fmt.Fprintf(b, "%d versions of %d names, with %d bytes of definition each, published by %d workspaces. One connection, "+
		"%s of requests after %s of warm-up; pages of %d.\n\n",
		size.names*size.versions, size.names, integrationSize, size.publishers, size.duration, size.duration/4, pageSize)
	fmt.Fprintf(b, "| work | database | p50 | p99 | target | p50 beside %d workspaces | times | target |\n|---|---|--:|--:|--:|--:|--:|--:|\n", size.others)
	for n := range r.hub[0].times {
		for i, f := range r.hub {
			work := ""
			if i == 0 {
				work = f.times[n].work
			}
			r.writeHubTime(b, work, engineNames[f.engine], f.times[n])
		}
	}
	r.writeUploads(b)
}

// writeHubTime prints a line; work is empty when it is that of the line before.
func (r *report) writeHubTime(b *strings.Builder, work, engine string, t hubTime) {
	var target, among, slower, independence string
	what := engine + ", " + t.work
	if t.target > 0 {
		target = r.judge(t.p50 < t.target, "< "+t.target.String(), what+": "+milliseconds(t.p50))
	}
	if t.among > 0 {
		among, slower = milliseconds(t.among), fmt.Sprintf("%.2f×", t.slower())
		independence = r.judge(t.slower() <= othersTarget, fmt.Sprintf("≤ %.1f×", othersTarget), what+": "+slower+" beside other workspaces")
	}
	fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", work, engine, milliseconds(t.p50), milliseconds(t.p99), target, among, slower, independence)
}

func (r *report) writeUploads(b *strings.Builder) {
	const megabyte = 1_000_000
	fmt.Fprintf(b, "\n%d updateIntegration with %d MB of code each, at once. As many as --max-parallel-uploads are in memory; the target is %d times their bodies, "+
		"and that of one more which is not collected yet, above the idle server.\n\n",
		uploads, uploadSize/megabyte, maxOfUpload)
	b.WriteString("| database | idle | --max-parallel-uploads | most memory | target |\n|---|--:|--:|--:|--:|\n")
	for _, f := range r.hub {
		engine := engineNames[f.engine]
		for _, parallel := range uploadsAtOnce {
			bound := f.idle + int64(parallel+1)*maxOfUpload*uploadSize
			peak := fmt.Sprintf("%d MB", f.peaks[parallel]/megabyte)
			target := r.judge(f.peaks[parallel] < bound, fmt.Sprintf("< %d MB", bound/megabyte),
				fmt.Sprintf("%s, most memory with %d uploads at once: %s", engine, parallel, peak))
			fmt.Fprintf(b, "| %s | %d MB | %d | %s | %s |\n", engine, f.idle/megabyte, parallel, peak, target)
		}
	}
}
