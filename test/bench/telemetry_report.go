package main

import (
	"fmt"
	"strings"

	"github.com/botyard/botyard/internal/db"
)

// writeTelemetry writes what ingest and logs cost, beside the rivals.
func (r *report) writeTelemetry(b *strings.Builder) {
	fmt.Fprintf(b, "Log lines of about 200 bytes, through HTTP in gzip batches of %d, %d senders on the same machine, acknowledged when durable.\n\n", ingestBatch, ingestSenders)
	b.WriteString("| | records/s | with ids, records/s | bytes a record | most memory | of it while logs are read | at ten times the rate | |\n|---|---|---|---|---|---|---|---|\n")
	for _, f := range r.telemetry {
		target := ingestTargetPostgres
		if f.engine == db.SQLite {
			target = ingestTargetSQLite
		}
		met := r.judge(f.rate >= float64(target), fmt.Sprintf("ingest on %s at least %d records/s", f.engine, target), fmt.Sprintf("%.0f", f.rate))
		size := fmt.Sprintf("%.1f", f.bytes)
		// PostgreSQL's tables keep the room of what merging has deleted.
		if f.engine == db.SQLite {
			met += "; " + r.judge(f.bytes <= recordTarget, fmt.Sprintf("at most %d bytes a record", recordTarget), size)
		}
		met += "; " + r.judge(f.peak <= memoryTarget, fmt.Sprintf("at most %d MiB of memory", memoryTarget>>20), fmt.Sprintf("%d MiB", f.peak>>20))
		fmt.Fprintf(b, "| botyard, %s, %d records | %.0f | %.0f | %s | %d MiB | %d MiB | %s | %s |\n", f.engine, f.records, f.rate, f.keyed, size, f.peak>>20, f.reading>>20, f.flood, met)
	}
	v := r.rivals
	fmt.Fprintf(b, "| SQLite, one row a record, in process | %.0f | | %.1f | | | | |\n", v.rawRate, v.rawBytes)
	fmt.Fprintf(b, "| VictoriaLogs' storage, in process, not durable when acknowledged | %.0f | | %.1f | | | | |\n", v.peerRate, v.peerBytes)
	b.WriteString("\nBytes a record are those in use in the day file after merging, and in PostgreSQL the size of tables and indexes, with the room that merging has left free in them; the bench and the database share the processors with the server.\n")
	b.WriteString("\nThe first page of getBotLogs, for a bot with a tenth of the records:\n\n| | engine | p50 | slowest of 31 | |\n|---|---|---|---|---|\n")
	for _, f := range r.telemetry {
		for _, q := range f.queries {
			met := r.judge(q.p50 <= q.target, fmt.Sprintf("logs on %s, %s within %s", f.engine, q.work, q.target), milliseconds(q.p50))
			fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", q.work, f.engine, milliseconds(q.p50), milliseconds(q.p99), met)
		}
	}
}
