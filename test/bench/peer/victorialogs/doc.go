// Command victorialogs puts log lines into VictoriaLogs' storage engine, in process,
// and says how fast it took them and how large they are there, as JSON.
//
// It owns the calls of that engine, in a module of its own, so that its dependencies
// stay out of botyard's. It does not own the lines: it is given a file, a bot, a tab
// and a message a line.
package main
