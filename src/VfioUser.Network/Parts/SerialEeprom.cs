using System.Runtime.InteropServices;

namespace VfioUser.Network;

/// <summary>A serial EEPROM of 16-bit words on three wires, as network cards have it: 93C46, 93C56, 93C66.</summary>
/// <remarks>
/// <para>A register of the card has the wires as bits. When one is written, its handler calls <see cref="SetWires"/>, and shows
/// <see cref="Output"/>. A part of a device: used by one thread at a time, the Command thread.</para>
/// <para>A command is a one, two bits of operation, and the address. It writes when it is no longer selected. Source: Microchip's data
/// sheet 93AA46A/B/C, "Functional Description".</para>
/// </remarks>
public sealed class SerialEeprom
{
    private const int WordBits = 16;

    private readonly ushort[] _words;
    private readonly int _addressBits;
    private State _state;

    /// <summary>Creates one whose words are zero and cannot be written by the guest yet.</summary>
    /// <param name="words">How many it has: 64 (93C46), 128 (93C56) or 256 (93C66).</param>
    /// <exception cref="ArgumentOutOfRangeException">It is none of them.</exception>
    public SerialEeprom(int words)
    {
        _addressBits = words switch
        {
            64 => 6,
            128 or 256 => 8,
            _ => throw new ArgumentOutOfRangeException(nameof(words), words, "There are 64, 128 or 256 words."),
        };
        _words = new ushort[words];
    }

    private enum Operation
    {
        Extended,
        Write,
        Read,
        Erase,
    }

    /// <summary>What it holds.</summary>
    public Span<ushort> Words => _words;

    /// <summary>The wire from it: a bit of a word, or that it is ready.</summary>
    public bool Output => _state.Output != 0;

    /// <summary>How many bytes <see cref="Save"/> writes.</summary>
    public int StateSize => (_words.Length * sizeof(ushort)) + Marshal.SizeOf<State>();

    private int CommandBits => 3 + _addressBits;

    /// <summary>The wires to it have been set.</summary>
    /// <param name="select">Whether it is selected. A command begins with this, and ends when it is no longer so.</param>
    /// <param name="clock">It takes a bit, and gives one, when the clock rises.</param>
    /// <param name="input">The bit that it takes.</param>
    public void SetWires(bool select, bool clock, bool input)
    {
        bool rises = clock && _state.Clock == 0;
        bool wasSelected = _state.Select != 0;
        _state.Clock = ToByte(clock);
        _state.Select = ToByte(select);
        if (select && !wasSelected)
            (_state.Bits, _state.Command, _state.Data, _state.Output) = (0, 0, 0, 1);
        else if (!select && wasSelected)
            Finish();
        else if (select && rises)
            Clock(input ? 1u : 0);
    }

    /// <summary>Forgets the command that was begun; the words stay. For a reset of the card.</summary>
    public void Reset() => _state = default;

    /// <summary>Writes its words and where it is in a command.</summary>
    /// <param name="destination">At least <see cref="StateSize"/> bytes.</param>
    public void Save(Span<byte> destination)
    {
        MemoryMarshal.AsBytes(_words.AsSpan()).CopyTo(destination);
        MemoryMarshal.Write(destination[(_words.Length * sizeof(ushort))..], _state);
    }

    /// <summary>Takes what another one has saved. Any bytes do no harm.</summary>
    /// <param name="source">At least <see cref="StateSize"/> bytes.</param>
    public void Restore(ReadOnlySpan<byte> source)
    {
        State state = MemoryMarshal.Read<State>(source[(_words.Length * sizeof(ushort))..]);
        source[..(_words.Length * sizeof(ushort))].CopyTo(MemoryMarshal.AsBytes(_words.AsSpan()));
        _state = state with { Bits = Math.Clamp(state.Bits, 0, CommandBits + (_words.Length * WordBits) - 1) };
    }

    private static byte ToByte(bool value) => value ? (byte)1 : (byte)0;

    private void Clock(uint bit)
    {
        if (_state.Bits < CommandBits)
        {
            if (_state.Bits == 0 && bit == 0)
                return; // a command begins with a one
            _state.Command = _state.Command << 1 | bit;
            _state.Output = 0;
        }
        else if (OperationOf(_state.Command) == Operation.Read)
        {
            // the words follow one another for as long as the clock runs
            int position = _state.Bits - CommandBits;
            uint word = _words[(_state.Command + (uint)(position / WordBits)) % (uint)_words.Length];
            _state.Output = (byte)(word >> (WordBits - 1 - (position % WordBits)) & 1);
        }
        else
        {
            _state.Data = _state.Data << 1 | bit;
        }
        if (++_state.Bits == CommandBits + (_words.Length * WordBits))
            _state.Bits = CommandBits;
    }

    private void Finish()
    {
        if (_state.Bits < CommandBits)
            return;
        bool hasData = _state.Bits == CommandBits + WordBits;
        uint address = _state.Command % (uint)_words.Length;
        switch (OperationOf(_state.Command))
        {
            case Operation.Write when hasData && _state.CanWrite != 0:
                _words[address] = (ushort)_state.Data;
                break;
            case Operation.Erase when _state.CanWrite != 0:
                _words[address] = ushort.MaxValue;
                break;
            case Operation.Extended:
                FinishExtended(hasData);
                break;
        }
    }

    // the two highest bits of the address say what
    private void FinishExtended(bool hasData)
    {
        switch (_state.Command >> (_addressBits - 2) & 3)
        {
            case 0:
                _state.CanWrite = 0;
                break;
            case 1 when hasData && _state.CanWrite != 0:
                _words.AsSpan().Fill((ushort)_state.Data);
                break;
            case 2 when _state.CanWrite != 0:
                _words.AsSpan().Fill(ushort.MaxValue);
                break;
            case 3:
                _state.CanWrite = 1;
                break;
        }
    }

    private Operation OperationOf(uint command) => (Operation)(command >> _addressBits & 3);

    /// <summary>Where it is in a command. As it is saved: bytes in place of bool, which may be anything.</summary>
    private struct State
    {
        public uint Command;
        public uint Data;
        public int Bits;
        public byte Select;
        public byte Clock;
        public byte Output;
        public byte CanWrite;
    }
}
