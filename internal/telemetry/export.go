package telemetry

import (
	"encoding/csv"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"
)

// WriteCSV writes days as a table: one row a day, then a column for each type of
// event and each custom event that any of the days has, behind "event." and
// "custom.".
func WriteCSV(w io.Writer, days []DatedDay) error {
	types, customs := map[string]bool{}, map[string]bool{}
	for _, d := range days {
		for _, of := range d.EventTypes {
			types[of.Name] = true
		}
		for _, of := range d.CustomEvents {
			customs[of.Name] = true
		}
	}
	eventTypes, customEvents := slices.Sorted(maps.Keys(types)), slices.Sorted(maps.Keys(customs))
	header := []string{
		"date", "newUsers", "returningUsers", "sessions", "userMessages", "botMessages", "events",
		"llmCalls", "llmErrors", "llmInputTokens", "llmOutputTokens",
		"llmLatencyMsMean", "llmLatencyMsSd", "llmLatencyMsMin", "llmLatencyMsMax",
		"llmTokensPerSecondMean", "llmTokensPerSecondSd", "llmTokensPerSecondMin", "llmTokensPerSecondMax",
		"llmCostUsdSum", "llmCostUsdMean", "llmCostUsdSd", "llmCostUsdMin", "llmCostUsdMax",
	}
	for _, name := range eventTypes {
		header = append(header, "event."+name)
	}
	for _, name := range customEvents {
		header = append(header, "custom."+name)
	}
	out := csv.NewWriter(w)
	if err := out.Write(header); err != nil {
		return err
	}
	for _, d := range days {
		row := []string{d.Start.Format(time.DateOnly)}
		for _, n := range []int64{
			d.NewUsers, d.ActiveUsers - d.NewUsers, d.Sessions, d.UserMessages, d.BotMessages, d.Events,
			d.LLM.Calls, d.LLM.Errors, d.LLM.InputTokens, d.LLM.OutputTokens,
		} {
			row = append(row, strconv.FormatInt(n, 10))
		}
		latency, speed, cost := d.LLM.Latency, d.LLM.TokensPerSecond, d.LLM.Cost
		for _, x := range []float64{
			latency.Mean, latency.Deviation(), latency.Min, latency.Max, speed.Mean, speed.Deviation(), speed.Min, speed.Max,
			float64(d.LLM.CostNanoUSD) / nanoUSD, cost.Mean, cost.Deviation(), cost.Min, cost.Max,
		} {
			row = append(row, strconv.FormatFloat(x, 'f', -1, 64))
		}
		for _, name := range eventTypes {
			row = append(row, strconv.FormatInt(d.EventTypes.Of(name), 10))
		}
		for _, name := range customEvents {
			row = append(row, strconv.FormatInt(d.CustomEvents.Of(name), 10))
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
