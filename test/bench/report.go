package main

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"
)

// report is everything that was measured, in the order in which it is printed.
type report struct {
	options    options
	diskSync   time.Duration
	contests   []outcome
	scale      []outcome
	footprints []footprint
	hub        []hubFigures
	telemetry  []telemetryFigures
	rivals     rivals
	floods     []floodFigures
	billing    billingFigures
	webhooks   *webhookFigures
	usage      []usageFigures
	// unmet says, one a line, which targets were missed.
	unmet []string
}

// write prints the report as Markdown.
func (r *report) write(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# botyard's benchmark\n\n")
	fmt.Fprintf(&b, "%d processors, %s, %s/%s; the disk makes 4 KiB durable in %s. ",
		runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH, r.diskSync.Round(time.Microsecond))
	if len(r.contests)+len(r.scale)+len(r.footprints) > 0 {
		r.writePace(&b)
	}
	b.WriteString("\n")
	if len(r.contests) > 0 {
		b.WriteString("\n## Beside others\n\n")
		r.writeOutcomes(&b, r.contests)
		b.WriteString("\nPocketBase acknowledges a create before the disk has it, unless its line says synchronous=FULL; botyard and the bare handler wait for the disk.\n")
	}
	if len(r.scale) > 0 {
		b.WriteString("\n## Among many\n\n")
		r.writeOutcomes(&b, r.scale)
	}
	if len(r.footprints) > 0 {
		b.WriteString("\n## At rest\n\n")
		r.writeFootprints(&b)
	}
	if len(r.hub) > 0 {
		b.WriteString("\n## The hub\n\n")
		r.writeHub(&b)
	}
	if r.billing.workspaces > 0 {
		b.WriteString("\n## Closing a month\n\n")
		r.writeBilling(&b)
	}
	if r.webhooks != nil {
		b.WriteString("\n## Webhooks\n\n")
		r.writeWebhooks(&b)
	}
	if len(r.usage) > 0 {
		b.WriteString("\n## Usage\n\n")
		r.writeUsage(&b)
	}
	if len(r.telemetry) > 0 {
		b.WriteString("\n## Telemetry\n\n")
		r.writeTelemetry(&b)
	}
	if len(r.floods) > 0 {
		b.WriteString("\n## More than a server can take\n\n")
		r.writeFloods(&b)
	}
	if len(r.unmet) > 0 {
		b.WriteString("\n## Missed\n\n")
		for _, line := range r.unmet {
			b.WriteString("- " + line + "\n")
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// writePace says how the sections about bots were measured.
func (r *report) writePace(b *strings.Builder) {
	pinned := ""
	if r.options.pin {
		pinned = ", from a processor of its own"
	}
	fmt.Fprintf(b, "%d bots of %d bytes of definition each. Medians of %d rounds of %s after %s of warm-up, "+
		"the servers by turns; the load comes from the same machine over loopback%s. "+
		"Processor is what the server used for each answer.",
		r.options.bots, r.options.definition, r.options.rounds, r.options.duration, r.options.warmUp, pinned)
}

func (r *report) writeOutcomes(b *strings.Builder, outcomes []outcome) {
	b.WriteString("| work | server | answers/s | lowest to highest | p50 | p99 | processor | bytes | ratio | target |\n")
	b.WriteString("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, o := range outcomes {
		for i, f := range o.figures {
			side := o.contest.sides[i]
			work := ""
			if i == 0 {
				work = fmt.Sprintf("%s, %d connections", o.contest.name, o.contest.connections)
			}
			ratio, target := "", ""
			if i > 0 && side.compared {
				times := o.figures[0].PerSecond / f.PerSecond
				ratio = fmt.Sprintf("%.2f×", times)
				if side.target > 0 {
					target = r.judge(times >= side.target, fmt.Sprintf("≥ %.1f×", side.target),
						fmt.Sprintf("%s: %.2f times %s", o.contest.name, times, side.name))
				}
			}
			fmt.Fprintf(b, "| %s | %s | %.0f | %.0f–%.0f | %s | %s | %.0f µs | %d | %s | %s |\n",
				work, side.name, f.PerSecond, f.lowest, f.highest, milliseconds(f.P50), milliseconds(f.P99),
				float64(f.processor)/float64(time.Microsecond), f.Bytes, ratio, target)
		}
	}
}

// The targets of a server at rest, for botyard alone.
const (
	readyTarget    = 300 * time.Millisecond
	residentTarget = 60e6
	binaryTarget   = 45e6
)

func (r *report) writeFootprints(b *strings.Builder) {
	b.WriteString("| server | start to ready | idle memory | binary |\n|---|--:|--:|--:|\n")
	for _, f := range r.footprints {
		ready := milliseconds(f.ready)
		resident := fmt.Sprintf("%.1f MB", float64(f.resident)/1e6)
		binary := fmt.Sprintf("%.1f MB", float64(f.binary)/1e6)
		if f.name == "botyard" {
			ready += " (" + r.judge(f.ready < readyTarget, "< 300 ms", "start to ready: "+ready) + ")"
			resident += " (" + r.judge(f.resident < residentTarget, "< 60 MB", "idle memory: "+resident) + ")"
			binary += " (" + r.judge(f.binary < binaryTarget, "< 45 MB", "binary: "+binary) + ")"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", f.name, ready, resident, binary)
	}
}

// judge is the target with a verdict; a missed one is kept for the report's end.
func (r *report) judge(met bool, target, found string) string {
	if met {
		return target + " met"
	}
	r.unmet = append(r.unmet, fmt.Sprintf("%s, wanted %s", found, target))
	return "**" + target + " missed**"
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}
