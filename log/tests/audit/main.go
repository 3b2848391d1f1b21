// Command audit reads a tlog-tiles log from its folder with the Go checksum database's own tree code and the
// transparency-dev checkpoint format, and checks that every entry is included under the published checkpoint.
//
//	audit FOLDER ORIGIN VERIFIER-KEY
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// place is where C2SP tlog-tiles puts the tile `number` of a kind, partial if it is not 256 wide.
func place(kind string, number int64, width int) string {
	name := fmt.Sprintf("%03d", number%1000)
	for rest := number / 1000; rest > 0; rest /= 1000 {
		name = fmt.Sprintf("x%03d/%s", rest%1000, name)
	}
	if width != 256 {
		name += fmt.Sprintf(".p/%d", width)
	}
	return filepath.Join("tile", kind, name)
}

type folder string

func (f folder) Height() int { return 8 }

func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, tile := range tiles {
		path := filepath.Join(string(f), place(fmt.Sprint(tile.L), tile.N, tile.W))
		bytes, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		data[i] = bytes
	}
	return data, nil
}

// bundle splits a bundle of `width` entries, each behind its length in two bytes.
func bundle(bytes []byte, width int) ([][]byte, error) {
	var entries [][]byte
	for len(bytes) > 0 {
		if len(bytes) < 2 || len(bytes)-2 < int(binary.BigEndian.Uint16(bytes)) {
			return nil, errors.New("a bundle ends within an entry")
		}
		end := 2 + int(binary.BigEndian.Uint16(bytes))
		entries = append(entries, bytes[2:end])
		bytes = bytes[end:]
	}
	if len(entries) != width {
		return nil, fmt.Errorf("a bundle of %d holds %d entries", width, len(entries))
	}
	return entries, nil
}

func audit(root folder, origin, key string) (int64, error) {
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return 0, err
	}
	bytes, err := os.ReadFile(filepath.Join(string(root), "checkpoint"))
	if err != nil {
		return 0, err
	}
	checkpoint, _, _, err := log.ParseCheckpoint(bytes, origin, verifier)
	if err != nil {
		return 0, err
	}
	tree := tlog.Tree{N: int64(checkpoint.Size)}
	copy(tree.Hash[:], checkpoint.Hash)
	// The reader refuses tiles that do not lead to the tree's hash.
	reader := tlog.TileHashReader(tree, root)
	for first := int64(0); first < tree.N; first += 256 {
		width := int(min64(256, tree.N-first))
		bytes, err := os.ReadFile(filepath.Join(string(root), place("entries", first/256, width)))
		if err != nil {
			return 0, err
		}
		entries, err := bundle(bytes, width)
		if err != nil {
			return 0, err
		}
		for i, entry := range entries {
			index := first + int64(i)
			proof, err := tlog.ProveRecord(tree.N, index, reader)
			if err != nil {
				return 0, fmt.Errorf("entry %d: %w", index, err)
			}
			if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry)); err != nil {
				return 0, fmt.Errorf("entry %d: %w", index, err)
			}
		}
	}
	return tree.N, nil
}

func min64(a, b int64) int64 {
	if a < b {
		return a
	}
	return b
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "audit FOLDER ORIGIN VERIFIER-KEY")
		os.Exit(2)
	}
	size, err := audit(folder(os.Args[1]), os.Args[2], os.Args[3])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("%d entries included\n", size)
}
