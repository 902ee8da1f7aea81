package billing

import (
	"bytes"
	_ "embed" // of the font
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-pdf/fpdf"
	"github.com/klauspost/compress/zstd"

	"github.com/botyard/botyard/internal/plan"
)

// packedFace is DejaVu Sans 2.37 as released, compressed with zstd: one face with Latin,
// Greek and Cyrillic. An invoice embeds only the glyphs that it uses.
//
//go:embed font/DejaVuSans.ttf.zst
var packedFace []byte

//go:embed font/LICENSE
var fontNotice string

// Notice is the licence of the font, which is part of the program and of every invoice.
func Notice() string { return fontNotice }

var face = sync.OnceValues(func() ([]byte, error) {
	unpacker, err := zstd.NewReader(nil)
	if err != nil {
		return nil, err
	}
	defer unpacker.Close()
	return unpacker.DecodeAll(packedFace, nil)
})

// InvoiceNumber is an invoice's number as it is printed; empty for a draft.
func InvoiceNumber(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("INV-%06d", n)
}

// The sheet, in millimetres: A4 with its margins and columns.
const (
	sheetWidth  = 210.0
	sheetMargin = 18.0
	sheetBottom = 22.0
	textWidth   = sheetWidth - 2*sheetMargin
	quantityAt  = 92.0 // where the columns after the description begin
	priceAt     = 112.0
	amountAt    = 143.0
	lineHeight  = 4.6
)

const (
	typeface = "sans"
	small    = 7.5
	normal   = 9.0
	large    = 18.0
)

// sheet is an invoice while it is rendered.
type sheet struct {
	*fpdf.Fpdf
	invoice Invoice
}

// renderPDF renders an invoice. It is pure: the same invoice makes the same bytes.
func renderPDF(i Invoice) ([]byte, error) {
	font, err := face()
	if err != nil {
		return nil, fmt.Errorf("the font of invoices is damaged: %w", err)
	}
	s := &sheet{fpdf.New("P", "mm", "A4", ""), i}
	s.AddUTF8FontFromBytes(typeface, "", font)
	s.SetCatalogSort(true)
	s.SetCreationDate(i.CreatedAt)
	s.SetModificationDate(i.CreatedAt)
	s.SetTitle(i.title()+" "+InvoiceNumber(i.Number), true)
	s.SetProducer("botyard", true)
	s.SetMargins(sheetMargin, sheetMargin, sheetMargin)
	s.SetAutoPageBreak(false, sheetBottom)
	s.AliasNbPages("{pages}")
	s.SetFooterFunc(s.footer)
	s.AddPage()
	s.head()
	s.table()
	s.note()
	var out bytes.Buffer
	if err := s.Output(&out); err != nil {
		return nil, fmt.Errorf("invoice %s cannot be drawn: %w", i.ID, err)
	}
	return out.Bytes(), nil
}

// printable makes text safe for one line: white space becomes a space, control characters
// are dropped, and what the font cannot have becomes its replacement character.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r):
			return -1
		case r > 0xFFFF, r == utf8.RuneError:
			return '\uFFFD'
		}
		return r
	}, text)
}

func (s *sheet) ink(size float64, grey int) {
	s.SetFont(typeface, "", size)
	s.SetTextColor(grey, grey, grey)
}

// text writes one line at x from the left margin. Callers break long text with wrap.
func (s *sheet) text(x, width float64, align, text string) {
	s.SetX(sheetMargin + x)
	s.CellFormat(width, lineHeight, text, "", 0, align, false, 0, "")
}

// wrap breaks text into lines of at most width, and within words that are wider.
func (s *sheet) wrap(text string, width float64) []string {
	text = strings.TrimSpace(printable(text))
	if text == "" {
		return nil
	}
	return s.SplitText(text, width)
}

func (s *sheet) paragraph(x, width float64, texts ...string) {
	for _, text := range texts {
		for _, part := range strings.Split(text, "\n") {
			for _, line := range s.wrap(part, width) {
				s.text(x, width, "L", line)
				s.Ln(lineHeight)
			}
		}
	}
}

func (s *sheet) head() {
	i := s.invoice
	s.ink(large, 20)
	s.text(0, 90, "L", i.title())
	s.ink(normal, 60)
	top := s.GetY()
	s.SetY(top)
	for _, line := range strings.Split(i.Seller, "\n") {
		for _, part := range s.wrap(line, textWidth-95) {
			s.text(95, textWidth-95, "R", part)
			s.Ln(lineHeight)
		}
	}
	s.SetY(max(s.GetY(), top+14))
	top = s.GetY()

	s.ink(small, 120)
	s.text(0, 80, "L", "Billed to")
	s.Ln(lineHeight)
	s.ink(normal, 20)
	s.paragraph(0, 85, i.BillTo.lines()...)
	left := s.GetY()

	s.SetY(top)
	facts := [][2]string{{"Number", InvoiceNumber(i.Number)}, {"Date", i.CreatedAt.Format(day)}}
	if i.Kind != CreditNote {
		facts = append(facts, [2]string{"Due", i.DueAt.Format(day)})
	}
	facts = append(facts, [2]string{"Period", span(i.Period.Start, i.Period.End)}, [2]string{"Workspace", string(i.Workspace)})
	for _, fact := range facts {
		s.ink(small, 120)
		s.text(95, 20, "L", fact[0])
		s.ink(small, 20)
		s.text(115, textWidth-115, "R", fact[1])
		s.Ln(lineHeight)
	}
	s.SetY(max(s.GetY(), left) + 8)
}

// title is what the document is called.
func (i Invoice) title() string {
	if i.Kind == CreditNote {
		return "Credit note"
	}
	return "Invoice"
}

const day = "2006-01-02"

// span is a period in words, with its last day inclusive.
func span(from, until time.Time) string {
	last := until.Add(-time.Second)
	if from.IsZero() || until.IsZero() || !last.After(from) {
		return ""
	}
	return from.Format(day) + " to " + last.Format(day)
}

// lines is the recipient of an invoice, as on an envelope.
func (b BillTo) lines() []string {
	lines := []string{b.Name, b.Email}
	if a := b.Address; a != nil {
		lines = append(lines, a.LineOne, a.LineTwo, strings.TrimSpace(a.PostalCode+" "+a.City), a.State, strings.ToUpper(a.Country))
	}
	return lines
}

func (s *sheet) columns() {
	s.ink(small, 120)
	s.text(0, quantityAt, "L", "Description")
	s.text(quantityAt, priceAt-quantityAt, "R", "Quantity")
	s.text(priceAt, amountAt-priceAt, "R", "Price")
	s.text(amountAt, textWidth-amountAt, "R", "Amount ("+strings.ToUpper(s.invoice.Currency)+")")
	s.Ln(lineHeight + 1)
	s.rule()
}

func (s *sheet) rule() {
	s.SetDrawColor(190, 190, 190)
	s.SetLineWidth(0.2)
	s.Line(sheetMargin, s.GetY(), sheetWidth-sheetMargin, s.GetY())
	s.Ln(1.5)
}

// room begins a new page when the given height does not fit on this one.
func (s *sheet) room(height float64) (broke bool) {
	_, sheetHeight := s.GetPageSize()
	if s.GetY()+height <= sheetHeight-sheetBottom {
		return false
	}
	s.AddPage()
	s.SetY(sheetMargin)
	return true
}

func (s *sheet) table() {
	s.columns()
	var before, tax, balance plan.Cents
	var after []Line
	for _, l := range s.invoice.Lines {
		switch l.Kind {
		case TaxLine:
			tax += l.Amount
			after = append(after, l)
		case BalanceLine:
			balance += l.Amount
			after = append(after, l)
		default:
			before += l.Amount
			s.line(l)
		}
	}
	const sumHeight = lineHeight + 1.5
	if s.room(float64(len(after)+3) * sumHeight) {
		s.columns()
	}
	s.rule()
	s.ink(normal, 60)
	if len(after) > 0 {
		s.sum("Subtotal", before)
	}
	for _, l := range after {
		s.sum(l.Description, l.Amount)
	}
	s.ink(11, 0)
	s.sum("Total", s.invoice.Total)
}

func (s *sheet) sum(of string, amount plan.Cents) {
	s.text(priceAt-30, amountAt-priceAt+30, "R", printable(of))
	s.text(amountAt, textWidth-amountAt, "R", amount.String())
	s.Ln(lineHeight + 1.5)
}

// line writes one line item, which never spans two pages.
func (s *sheet) line(l Line) {
	s.ink(normal, 20)
	parts := s.wrap(l.Description, quantityAt-2)
	when := span(l.From, l.Until)
	height := float64(len(parts)) * lineHeight
	if when != "" {
		height += lineHeight
	}
	if s.room(height + 1.5) {
		s.columns()
		s.ink(normal, 20)
	}
	for n, part := range parts {
		s.text(0, quantityAt, "L", part)
		if n == 0 {
			if l.Quantity != 0 {
				s.text(quantityAt, priceAt-quantityAt, "R", strconv.FormatInt(l.Quantity, 10))
			}
			if l.UnitPrice != 0 {
				s.text(priceAt, amountAt-priceAt, "R", l.UnitPrice.String())
			}
			s.text(amountAt, textWidth-amountAt, "R", l.Amount.String())
		}
		s.Ln(lineHeight)
	}
	if when != "" {
		s.ink(small, 120)
		s.text(0, quantityAt, "L", when)
		s.Ln(lineHeight)
	}
	s.Ln(1.5)
}

// note writes the operator's note below the totals, such as how to pay.
func (s *sheet) note() {
	s.ink(small, 90)
	var lines []string
	for _, part := range strings.Split(s.invoice.Note, "\n") {
		lines = append(lines, s.wrap(part, textWidth)...)
	}
	s.Ln(6)
	for _, line := range lines {
		s.room(lineHeight)
		s.ink(small, 90)
		s.text(0, textWidth, "L", line)
		s.Ln(lineHeight)
	}
}

func (s *sheet) footer() {
	s.SetY(-14)
	s.ink(small, 120)
	s.text(0, 100, "L", InvoiceNumber(s.invoice.Number))
	// Not flush right: the number of pages is put in after the line was measured.
	s.text(textWidth-24, 24, "L", fmt.Sprintf("Page %d of {pages}", s.PageNo()))
}
