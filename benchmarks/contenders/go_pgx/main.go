// Go's net/http and pgx: what another language reaches with its usual parts.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"log"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v4/pgxpool"
)

const columns = `posts.id, title, content, author_id, username, version, posts.created_at, posts.updated_at`
const onePost = `SELECT ` + columns + ` FROM posts JOIN users ON users.id = author_id WHERE posts.id = $1`
const manyPosts = `SELECT ` + columns + ` FROM posts JOIN users ON users.id = author_id
WHERE posts.id < $1 ORDER BY posts.id DESC LIMIT $2`
const newPost = `INSERT INTO posts (title, content, author_id) VALUES ($1, $2, $3)
RETURNING id, title, content, version, created_at, updated_at`
const userOfToken = `SELECT users.id, username, email, role, is_active, users.created_at, users.updated_at
FROM access_tokens JOIN users ON users.id = user_id
WHERE digest = $1 AND is_active AND expires_at > now() AND last_used_at > now() - interval '7 days 1 minute'`

type author struct {
	ID       int64  `json:"id"`
	Username string `json:"username"`
}

type post struct {
	ID        int64    `json:"id"`
	Title     string   `json:"title"`
	Content   string   `json:"content"`
	Author    author   `json:"author"`
	Version   int32    `json:"version"`
	CreatedAt instant  `json:"created_at"`
	UpdatedAt *instant `json:"updated_at"`
}

type page struct {
	Items      []post  `json:"items"`
	NextCursor *string `json:"next_cursor"`
}

type user struct {
	ID        int64    `json:"id"`
	Username  string   `json:"username"`
	Email     string   `json:"email"`
	Role      string   `json:"role"`
	IsActive  bool     `json:"is_active"`
	CreatedAt instant  `json:"created_at"`
	UpdatedAt *instant `json:"updated_at"`
}

// instant is written as the others write it: in UTC, with no fraction or with microseconds.
type instant struct{ time.Time }

func (at instant) MarshalJSON() ([]byte, error) {
	moved, layout := at.UTC(), `"2006-01-02T15:04:05Z"`
	if moved.Nanosecond() != 0 {
		layout = `"2006-01-02T15:04:05.000000Z"`
	}
	return moved.AppendFormat(nil, layout), nil
}

type row interface {
	Scan(into ...interface{}) error
}

var pool *pgxpool.Pool

func changed(at *time.Time) *instant {
	if at == nil {
		return nil
	}
	return &instant{*at}
}

func readPost(from row) (found post, err error) {
	var updated *time.Time
	err = from.Scan(&found.ID, &found.Title, &found.Content, &found.Author.ID, &found.Author.Username,
		&found.Version, &found.CreatedAt.Time, &updated)
	found.UpdatedAt = changed(updated)
	return
}

func answer(to http.ResponseWriter, status int, content interface{}) {
	to.Header().Set("Content-Type", "application/json")
	to.WriteHeader(status)
	encoder := json.NewEncoder(to)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(content); err != nil {
		log.Print(err)
	}
}

func findUser(request *http.Request) (found user, err error) {
	scheme, token, _ := strings.Cut(request.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") {
		token = ""
	}
	var updated *time.Time
	digest := sha256.Sum256([]byte(token))
	err = pool.QueryRow(request.Context(), userOfToken, digest[:]).Scan(&found.ID, &found.Username,
		&found.Email, &found.Role, &found.IsActive, &found.CreatedAt.Time, &updated)
	found.UpdatedAt = changed(updated)
	return
}

func getPost(to http.ResponseWriter, request *http.Request) {
	id, err := strconv.ParseInt(strings.TrimPrefix(request.URL.Path, "/api/v1/posts/"), 10, 64)
	if err != nil {
		answer(to, 422, nil)
		return
	}
	found, err := readPost(pool.QueryRow(request.Context(), onePost, id))
	if err != nil {
		answer(to, 404, nil)
		return
	}
	answer(to, 200, found)
}

func listPosts(to http.ResponseWriter, request *http.Request) {
	limit, before := 20, int64(math.MaxInt64)
	query := request.URL.Query()
	if wanted, err := strconv.Atoi(query.Get("limit")); err == nil && wanted < 100 {
		limit = wanted
	}
	if raw, err := base64.RawURLEncoding.DecodeString(query.Get("cursor")); err == nil && len(raw) == 8 {
		before = int64(binary.BigEndian.Uint64(raw))
	}
	rows, err := pool.Query(request.Context(), manyPosts, before, limit+1)
	if err != nil {
		answer(to, 500, nil)
		return
	}
	defer rows.Close()
	found := page{Items: make([]post, 0, limit+1)}
	for rows.Next() {
		next, err := readPost(rows)
		if err != nil {
			answer(to, 500, nil)
			return
		}
		found.Items = append(found.Items, next)
	}
	if len(found.Items) > limit {
		found.Items = found.Items[:limit]
		cursor := make([]byte, 8)
		binary.BigEndian.PutUint64(cursor, uint64(found.Items[limit-1].ID))
		text := base64.RawURLEncoding.EncodeToString(cursor)
		found.NextCursor = &text
	}
	answer(to, 200, found)
}

func createPost(to http.ResponseWriter, request *http.Request) {
	by, err := findUser(request)
	if err != nil {
		answer(to, 401, nil)
		return
	}
	var body struct {
		Title   string `json:"title"`
		Content string `json:"content"`
	}
	decoder := json.NewDecoder(request.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil || body.Title == "" || utf8.RuneCountInString(body.Title) > 200 {
		answer(to, 422, nil)
		return
	}
	var updated *time.Time
	made := post{Author: author{by.ID, by.Username}}
	err = pool.QueryRow(request.Context(), newPost, body.Title, body.Content, by.ID).Scan(&made.ID, &made.Title,
		&made.Content, &made.Version, &made.CreatedAt.Time, &updated)
	if err != nil {
		answer(to, 500, nil)
		return
	}
	answer(to, 201, made)
}

func getMe(to http.ResponseWriter, request *http.Request) {
	found, err := findUser(request)
	if err != nil {
		answer(to, 401, nil)
		return
	}
	answer(to, 200, found)
}

func main() {
	settings, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	settings.MaxConns = 30
	if pool, err = pgxpool.ConnectConfig(context.Background(), settings); err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/api/v1/posts/", getPost)
	http.HandleFunc("/api/v1/posts", func(to http.ResponseWriter, request *http.Request) {
		if request.Method == http.MethodPost {
			createPost(to, request)
		} else {
			listPosts(to, request)
		}
	})
	http.HandleFunc("/api/v1/users/me", getMe)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
