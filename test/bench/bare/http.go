package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/botyard/botyard/internal/db"
	"github.com/botyard/botyard/internal/id"
)

// wireTime is a time as an answer shows it; a zero one is left out.
type wireTime time.Time

const timeFormat = "2006-01-02T15:04:05.000Z"

func moment(ms int64) wireTime {
	if ms == 0 {
		return wireTime{}
	}
	return wireTime(time.UnixMilli(ms).UTC())
}

func (t wireTime) IsZero() bool { return time.Time(t).IsZero() }

func (t wireTime) MarshalText() ([]byte, error) {
	return time.Time(t).AppendFormat(nil, timeFormat), nil
}

// botHead is what an answer says of a bot before its definition.
type botHead struct {
	ID               string         `json:"id"`
	CreatedAt        wireTime       `json:"createdAt"`
	UpdatedAt        wireTime       `json:"updatedAt"`
	SigningSecret    string         `json:"signingSecret"`
	Integrations     struct{}       `json:"integrations"`
	Plugins          struct{}       `json:"plugins"`
	MaxExecutionTime int64          `json:"maxExecutionTime,omitzero"`
	Tags             jsontext.Value `json:"tags"`
	Name             string         `json:"name"`
	Description      string         `json:"description,omitzero"`
	DeployedAt       wireTime       `json:"deployedAt,omitzero"`
	Dev              bool           `json:"dev"`
	Secrets          jsontext.Value `json:"secrets"`
	CreatedBy        string         `json:"createdBy,omitzero"`
	AlwaysAlive      bool           `json:"alwaysAlive"`
	Status           string         `json:"status"`
	Type             string         `json:"type"`
}

type listedBot struct {
	ID         string         `json:"id"`
	CreatedAt  wireTime       `json:"createdAt"`
	UpdatedAt  wireTime       `json:"updatedAt"`
	Name       string         `json:"name"`
	DeployedAt wireTime       `json:"deployedAt,omitzero"`
	Tags       jsontext.Value `json:"tags"`
	Type       string         `json:"type"`
}

type listAnswer struct {
	Bots []listedBot `json:"bots"`
	Meta struct {
		NextToken string `json:"nextToken,omitzero"`
	} `json:"meta"`
}

// handler answers on a database that botyard filled.
type handler struct{ db *db.DB }

func newHandler(d *db.DB) http.Handler {
	h := handler{d}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	for pattern, answer := range map[string]func(http.ResponseWriter, *http.Request, string, actor) error{
		"GET /v1/admin/bots/{id}": h.get,
		"GET /v1/admin/bots":      h.list,
		"POST /v1/admin/bots":     h.create,
	} {
		mux.HandleFunc(pattern, h.known(answer))
	}
	return mux
}

// known finds out who calls and in which workspace, then has the request answered.
func (h handler) known(answer func(http.ResponseWriter, *http.Request, string, actor) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		workspace := r.Header.Get("X-Workspace-Id")
		sum := sha256.Sum256([]byte(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")))
		by, err := selectActor(r.Context(), h.db.Reader(r.Context()), hex.EncodeToString(sum[:]), workspace)
		if err != nil {
			refuse(w, err, http.StatusUnauthorized)
			return
		}
		if err := answer(w, r, workspace, by); err != nil {
			refuse(w, err, http.StatusNotFound)
		}
	}
}

// refuse answers missing when there was no such row.
func refuse(w http.ResponseWriter, err error, missing int) {
	if errors.Is(err, sql.ErrNoRows) {
		http.Error(w, http.StatusText(missing), missing)
		return
	}
	http.Error(w, err.Error(), http.StatusInternalServerError)
}

func (h handler) get(w http.ResponseWriter, r *http.Request, workspace string, _ actor) error {
	b, definition, err := selectBot(r.Context(), h.db.Reader(r.Context()), workspace, r.PathValue("id"))
	if err != nil {
		return err
	}
	return show(w, b, definition)
}

// show splices the stored definition behind the members of its bot, without
// reading it.
func show(w http.ResponseWriter, b botHead, definition string) error {
	body := bytes.NewBuffer(make([]byte, 0, len(definition)+1024))
	body.WriteString(`{"bot":`)
	if err := json.MarshalWrite(body, b); err != nil {
		return err
	}
	body.Truncate(body.Len() - len("}"))
	body.WriteByte(',')
	body.WriteString(definition[len("{"):])
	body.WriteByte('}')
	return send(w, body.Bytes())
}

func send(w http.ResponseWriter, body []byte) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, err := w.Write(body)
	return err
}

func (h handler) list(w http.ResponseWriter, r *http.Request, workspace string, _ actor) error {
	page, err := strconv.Atoi(cmp.Or(r.URL.Query().Get("pageSize"), "20"))
	if err != nil {
		return err
	}
	bots, err := selectNewest(r.Context(), h.db.Reader(r.Context()), workspace, page)
	if err != nil {
		return err
	}
	answer := listAnswer{Bots: bots}
	if len(bots) > page {
		answer.Bots = bots[:page]
		last := bots[page-1]
		answer.Meta.NextToken = base64.RawURLEncoding.EncodeToString([]byte(last.ID + time.Time(last.CreatedAt).String()))
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	return send(w, body)
}

// draft is what is read of a create's body: the definition's parts as they came.
type draft struct {
	Name    string            `json:"name"`
	Tags    map[string]string `json:"tags"`
	Actions jsontext.Value    `json:"actions"`
	Events  jsontext.Value    `json:"events"`
	States  jsontext.Value    `json:"states"`
}

// definition is the text that botyard stores, with the parts a draft leaves out
// as botyard has them when nothing is said of them.
func (d draft) definition() string {
	part := func(v jsontext.Value) string { return cmp.Or(string(v), "{}") }
	return `{"user":{"tags":{}},"conversation":{"tags":{}},"message":{"tags":{}},"states":` + part(d.States) +
		`,"configuration":{"data":{},"schema":{"type":"object","properties":{}}},"events":` + part(d.Events) +
		`,"recurringEvents":{},"subscriptions":{"events":null},"actions":` + part(d.Actions) + `,"medias":[]}`
}

func (h handler) create(w http.ResponseWriter, r *http.Request, workspace string, by actor) error {
	var d draft
	if err := json.UnmarshalRead(r.Body, &d); err != nil {
		return err
	}
	tags, err := json.Marshal(d.Tags, json.Deterministic(true))
	if err != nil {
		return err
	}
	var keysAndValues []string
	for _, key := range slices.Sorted(maps.Keys(d.Tags)) {
		keysAndValues = append(keysAndValues, key, d.Tags[key])
	}
	now := time.Now()
	created := moment(now.UnixMilli())
	b := botHead{
		ID: string(id.NewBot(false, now)), CreatedAt: created, UpdatedAt: created, SigningSecret: rand.Text() + rand.Text(),
		Tags: tags, Name: d.Name, Secrets: jsontext.Value("[]"), CreatedBy: by.account, Status: "active", Type: "studio",
	}
	definition := d.definition()
	if err := h.db.Tx(r.Context(), func(ctx context.Context, tx *db.Tx) error {
		return insertBot(ctx, tx, workspace, by, b, keysAndValues, definition)
	}); err != nil {
		return err
	}
	return show(w, b, definition)
}
