// Command bare answers three of botyard's requests with nothing above the SQL,
// for the benchmark to measure beside botyard: what botyard takes longer is what
// its layers cost.
//
// It owns a plain net/http handler that runs, through package db, the statements
// that botyard runs for getBot, listBots and createBot, in the same transactions,
// and answers the same members. It does not own those statements: they are copies
// of the stores', whose functions are not exported, and a test holds them against
// each other. There is no routing table, no validation, no permission, no rate
// limit, no sealing of secrets, no signing of cursors, no metrics and no log.
package main
