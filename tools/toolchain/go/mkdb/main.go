// mkdb DIR < advisories.json writes DIR/trivy.db and DIR/metadata.json: a small vulnerability database (schema 2) that real
// Trivy reads, so that scans are tested with no download. Input:
//
//	{"sources": {"alpine 3.20": {"ID":"alpine","Name":"…","URL":"…"}},
//	 "advisories": {"alpine 3.20": {"openssl": {"CVE-2024-0001": {"FixedVersion":"3.3.1-r1"}}}},
//	 "vulnerabilities": {"CVE-2024-0001": {"Title":"…","Severity":"CRITICAL"}},
//	 "updatedAt": "2026-11-21T00:00:00Z", "nextUpdate": "2036-01-01T00:00:00Z"}
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
)

type input struct {
	Sources         map[string]json.RawMessage                       `json:"sources"`
	Advisories      map[string]map[string]map[string]json.RawMessage `json:"advisories"`
	Vulnerabilities map[string]json.RawMessage                       `json:"vulnerabilities"`
	UpdatedAt       time.Time                                        `json:"updatedAt"`
	NextUpdate      time.Time                                        `json:"nextUpdate"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "mkdb:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: mkdb DIR < advisories.json")
	}
	var in input
	if err := json.NewDecoder(os.Stdin).Decode(&in); err != nil {
		return err
	}
	if err := os.MkdirAll(args[0], 0o755); err != nil {
		return err
	}
	path := filepath.Join(args[0], "trivy.db")
	_ = os.Remove(path)
	db, err := bolt.Open(path, 0o644, nil)
	if err != nil {
		return err
	}
	if err := db.Update(func(tx *bolt.Tx) error { return fill(tx, in) }); err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	meta, err := json.Marshal(map[string]any{"Version": 2, "UpdatedAt": in.UpdatedAt, "NextUpdate": in.NextUpdate, "DownloadedAt": time.Time{}})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(args[0], "metadata.json"), meta, 0o644)
}

func fill(tx *bolt.Tx, in input) error {
	for platform, packages := range in.Advisories {
		root, err := tx.CreateBucketIfNotExists([]byte(platform))
		if err != nil {
			return err
		}
		for name, advisories := range packages {
			bucket, err := root.CreateBucketIfNotExists([]byte(name))
			if err != nil {
				return err
			}
			for id, advisory := range advisories {
				if err := bucket.Put([]byte(id), advisory); err != nil {
					return err
				}
			}
		}
	}
	for name, values := range map[string]map[string]json.RawMessage{"vulnerability": in.Vulnerabilities, "data-source": in.Sources} {
		bucket, err := tx.CreateBucketIfNotExists([]byte(name))
		if err != nil {
			return err
		}
		for key, value := range values {
			if err := bucket.Put([]byte(key), value); err != nil {
				return err
			}
		}
	}
	return nil
}
