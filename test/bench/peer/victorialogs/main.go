package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/logstorage"
)

func main() {
	lines := flag.String("lines", "", "file of lines, each a bot, a tab and a message")
	dir := flag.String("dir", "", "empty folder of the engine's data")
	batch := flag.Int("batch", 1000, "rows that are added at once")
	flag.Parse()
	if err := run(*lines, *dir, *batch); err != nil {
		fmt.Fprintln(os.Stderr, "victorialogs:", err)
		os.Exit(1)
	}
}

type row struct{ bot, message string }

func run(lines, dir string, batch int) error {
	rows, err := read(lines)
	if err != nil {
		return err
	}
	storage := logstorage.MustOpenStorage(dir, &logstorage.StorageConfig{Retention: 30 * 24 * time.Hour, FutureRetention: 24 * time.Hour, FlushInterval: 5 * time.Second})
	began := time.Now()
	for len(rows) > 0 {
		n := min(batch, len(rows))
		lr := logstorage.GetLogRows([]string{"bot"}, nil, nil, nil, "")
		for i, r := range rows[:n] {
			lr.MustAdd(logstorage.TenantID{}, time.Now().UnixNano()+int64(i), []logstorage.Field{
				{Name: "bot", Value: r.bot}, {Name: "_msg", Value: r.message}, {Name: "level", Value: "info"},
			}, nil)
		}
		storage.MustAddRows(lr)
		logstorage.PutLogRows(lr)
		rows = rows[n:]
	}
	storage.DebugFlush()
	taken := time.Since(began)
	storage.MustClose()
	size, err := sizeOf(dir)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"seconds": taken.Seconds(), "bytes": size})
}

func read(path string) (rows []row, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		bot, message, _ := strings.Cut(s.Text(), "\t")
		rows = append(rows, row{bot, message})
	}
	return rows, s.Err()
}

func sizeOf(dir string) (size int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	return size, err
}
