using System.Net.NetworkInformation;
using System.Runtime.InteropServices;
using VfioUser;

namespace E1000.Device;

/// <summary>
/// The EEPROM of 64 words, a 93C46: bit by bit through EECD, or word by word through EERD. It keeps what is written for as long as the
/// device lives. Command thread.
/// </summary>
internal sealed class Eeprom
{
    public const int WordCount = 64;

    private const int ChecksumWord = 0x3F;
    private const ushort Checksum = 0xBABA; // what all words add up to
    private const int CommandBits = 9; // a one, the operation in two bits, the address in six
    private const uint Read = 0b110;
    private const uint Write = 0b101;
    private const uint Erase = 0b111;
    private const uint EnableWrites = 0b100_11;
    private const uint DisableWrites = 0b100_00;

    private readonly ushort[] _words = new ushort[WordCount];
    private readonly Register<EepromControl> _control;
    private readonly Register<uint> _read;
    private readonly RegisterField<byte> _readAddress;
    private readonly RegisterField<ushort> _readData;
    private readonly RegisterField<bool> _readDone;
    private Wire _wire;

    public Eeprom(RegisterBlock csr, PciId id, PhysicalAddress address)
    {
        MemoryMarshal.Cast<byte, ushort>(address.GetAddressBytes()).CopyTo(_words);
        _words[0x0A] = 0x4403; // it is programmed, and has the ids
        (_words[0x0B], _words[0x0C], _words[0x0D], _words[0x0E]) = (id.Subsystem, id.SubsystemVendor, id.Device, id.Vendor);
        _words[ChecksumWord] = (ushort)(Checksum - _words.Sum(word => word));

        const EepromControl Wires = EepromControl.Clock | EepromControl.ChipSelect | EepromControl.DataIn;
        _control = csr.AddRegister<EepromControl>(0x0010, new()
        {
            Name = "EECD",
            ResetValue = EepromControl.Present | EepromControl.DataOut | EepromControl.FlashWriteDisable,
            WriteMask = Wires | EepromControl.Request | EepromControl.FlashWriteDisable | EepromControl.FlashWriteEnable,
            OnWrite = ControlWritten,
        });
        _read = csr.AddRegister<uint>(0x0014, new() { Name = "EERD", WriteMask = 0xFF00, SelfClearing = 1, OnWrite = ReadWritten });
        _readDone = _read.AddFlag(4, "DONE");
        _readAddress = _read.AddField<byte>(8, 8, "ADDR");
        _readData = _read.AddField<ushort>(16, 16, "DATA");
    }

    /// <summary>The card's own address as a number, the first byte being the lowest.</summary>
    public ulong Address => _words[0] | (ulong)_words[1] << 16 | (ulong)_words[2] << 32;

    public static int StateSize => (WordCount * sizeof(ushort)) + Marshal.SizeOf<Wire>();

    public void Reset() => _wire = default;

    public void Save(Span<byte> destination)
    {
        MemoryMarshal.AsBytes(_words.AsSpan()).CopyTo(destination);
        MemoryMarshal.Write(destination[(WordCount * sizeof(ushort))..], _wire);
    }

    public void Restore(ReadOnlySpan<byte> source)
    {
        MemoryMarshal.Cast<byte, ushort>(source[..(WordCount * sizeof(ushort))]).CopyTo(_words);
        _wire = MemoryMarshal.Read<Wire>(source[(WordCount * sizeof(ushort))..]);
    }

    private void ReadWritten(RegisterWrite<uint> write)
    {
        if (!write.Has(1))
            return;
        byte address = _readAddress.Value;
        _readData.Value = address < WordCount ? _words[address] : (ushort)0;
        _readDone.Value = true;
    }

    private void ControlWritten(RegisterWrite<EepromControl> write)
    {
        if (write.Sets(EepromControl.ChipSelect))
            _wire = new Wire { CanWrite = _wire.CanWrite, Out = 1 };
        else if (write.Clears(EepromControl.ChipSelect))
            Finish();
        else if (write.Sets(EepromControl.Clock) && (write.New & EepromControl.ChipSelect) != 0)
            Clock((write.New & EepromControl.DataIn) != 0 ? 1u : 0u);
        EepromControl seen = _wire.Out != 0 ? EepromControl.DataOut : 0;
        if ((write.New & EepromControl.Request) != 0)
            seen |= EepromControl.Grant;
        _control.Update(EepromControl.DataOut | EepromControl.Grant, seen);
    }

    private void Clock(uint bit)
    {
        if (_wire.Bits >= CommandBits && Operation == Read)
        {
            // the words follow one another for as long as the clock runs
            int position = _wire.Bits - CommandBits;
            int word = (int)(_wire.Command + (uint)(position / 16)) % WordCount;
            _wire.Out = (uint)_words[word] >> (15 - (position % 16)) & 1;
        }
        else if (_wire.Bits >= CommandBits)
        {
            _wire.Data = _wire.Data << 1 | bit;
        }
        else if (_wire.Bits == 0 && bit == 0)
        {
            return; // a command begins with a one
        }
        else
        {
            _wire.Command = _wire.Command << 1 | bit;
            _wire.Out = 0;
        }
        if (_wire.Bits < CommandBits + (16 * WordCount) - 1)
            _wire.Bits++;
        else
            _wire.Bits = CommandBits;
    }

    // it writes when it is no longer selected
    private void Finish()
    {
        if (_wire.Bits < CommandBits)
            return;
        uint address = _wire.Command % WordCount;
        if (_wire.Command >> 4 is EnableWrites or DisableWrites)
            _wire.CanWrite = _wire.Command >> 4 == EnableWrites ? 1u : 0;
        else if (_wire.CanWrite != 0 && Operation == Write && _wire.Bits == CommandBits + 16)
            _words[address] = (ushort)_wire.Data;
        else if (_wire.CanWrite != 0 && Operation == Erase)
            _words[address] = 0xFFFF;
    }

    private uint Operation => _wire.Command >> 6;

    /// <summary>Where it is in a command.</summary>
    private record struct Wire
    {
        public uint Command;
        public uint Data;
        public int Bits;
        public uint Out;
        public uint CanWrite;
    }
}
