package exercise_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/botyard/botyard/test/harness"
)

// The newest version is the bot as it was deployed last, in whichever order the
// deployments began.
func TestNewestVersionIsTheLastDeployed(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		bot := createBot(t, a, object{"code": "0"})["id"].(string)
		for round := range 10 {
			harness.Together(t, 8, func(i int) error {
				_, err := try(t, a, "PUT", botsPath+"/"+bot, object{"code": fmt.Sprint(round, i), "description": strings.Repeat("x", i)}, 200)
				return err
			})
			newest := versions(t, a, bot)[0]
			if got, want := string(downloaded(t, a, versionURL(t, a, bot, newest["id"].(string))).Body), botJSON(t, a, bot); got != want {
				t.Fatalf("round %d: the newest version is\n%s\nand the bot\n%s", round, got, want)
			}
		}
	})
}

// What an update adds to a new bot while it is published from bot json is in the bot or in
// a version, whichever came first.
func TestReplacedIsSaved(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a := s.Person(t)
		text := botJSON(t, a, createBot(t, a, object{"code": strings.Repeat("x", 1<<20)})["id"].(string))
		for round := range 10 {
			bot := createBot(t, a, object{})["id"].(string)
			harness.Together(t, 4, func(i int) error {
				if i == 0 {
					_, err := try(t, a, "POST", botsPath+"/"+bot+"/publish-from-bot-json", `{"botJson":`+text+`}`, 200)
					return err
				}
				_, err := try(t, a, "PUT", botsPath+"/"+bot, object{"events": object{fmt.Sprint("event-", i): object{"schema": object{}}}}, 200)
				return err
			})
			kept := botJSON(t, a, bot)
			for _, v := range versions(t, a, bot) {
				kept += string(downloaded(t, a, versionURL(t, a, bot, v["id"].(string))).Body)
			}
			for i := 1; i < 4; i++ {
				if !strings.Contains(kept, fmt.Sprint("event-", i)) {
					t.Fatalf("round %d: event-%d is neither in the bot nor in one of %v", round, i, versionNames(t, a, bot))
				}
			}
		}
	})
}

// A bot and its bot json are read as of one moment, and so is the bot that an update is
// judged by, while a plugin comes and goes.
func TestBotAtOneMoment(t *testing.T) {
	harness.Run(t, func(t *testing.T, s *harness.Server) {
		a, handle := shopkeeper(t, s)
		r := makeRich(t, a, handle)
		setup := object{"id": r.plugin, "integrations": object{"chat": object{"integrationId": r.telegram, "integrationAlias": "one"}}}
		with := botJSON(t, a, r.bot)
		setUp(t, a, r.bot, object{"plugins": object{"greeter": nil}})
		without := botJSON(t, a, r.bot)
		harness.Together(t, 4, func(i int) error {
			for n := range 100 {
				switch i {
				case 0:
					update := object{"plugins": object{"greeter": nil}}
					if n%2 == 0 {
						update = object{"plugins": object{"greeter": setup}}
					}
					if _, err := try(t, a, "PUT", botsPath+"/"+r.bot, update, 200); err != nil {
						return err
					}
				case 1:
					if _, err := try(t, a, "PUT", botsPath+"/"+r.bot, object{"integrations": object{"two": object{"enabled": false}}}, 200); err != nil {
						return err
					}
				case 2:
					b := readBot(t, a, r.bot)
					if brought, installed := under(b, "actions", "greeter#greet") != nil, under(b, "plugins", "greeter") != nil; brought != installed {
						return fmt.Errorf("the plugin is installed: %v, and what it brings is there: %v", installed, brought)
					}
				case 3:
					answer := a.Ask(t, "GET", botsPath+"/"+r.bot+"/bot-json", nil)
					if text := string(answer.Body); text != with && text != without {
						return fmt.Errorf("bot json is a mixture:\n%s\nof\n%s\nand\n%s", text, with, without)
					}
				}
			}
			return nil
		})
	})
}
