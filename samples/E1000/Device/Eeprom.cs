using System.Net.NetworkInformation;
using System.Runtime.InteropServices;
using VfioUser;
using VfioUser.Network;

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

    private readonly SerialEeprom _chip = new(WordCount);
    private readonly Register<EepromControl> _control;
    private readonly RegisterField<byte> _readAddress;
    private readonly RegisterField<ushort> _readData;
    private readonly RegisterField<bool> _readDone;

    public Eeprom(RegisterBlock csr, PciId id, PhysicalAddress address)
    {
        MemoryMarshal.Cast<byte, ushort>(address.GetAddressBytes()).CopyTo(Words);
        Words[0x0A] = 0x4403; // it is programmed, and has the ids
        (Words[0x0B], Words[0x0C], Words[0x0D], Words[0x0E]) = (id.Subsystem, id.SubsystemVendor, id.Device, id.Vendor);
        foreach (ushort word in Words[..ChecksumWord])
            Words[ChecksumWord] += word;
        Words[ChecksumWord] = (ushort)(Checksum - Words[ChecksumWord]);

        const EepromControl Wires = EepromControl.Clock | EepromControl.ChipSelect | EepromControl.DataIn;
        _control = csr.AddRegister<EepromControl>(0x0010, new()
        {
            Name = "EECD",
            ResetValue = EepromControl.Present | EepromControl.DataOut | EepromControl.FlashWriteDisable,
            WriteMask = Wires | EepromControl.Request | EepromControl.FlashWriteDisable | EepromControl.FlashWriteEnable,
            OnWrite = ControlWritten,
        });
        Register<uint> read = csr.AddRegister<uint>(0x0014, new() { Name = "EERD", WriteMask = 0xFF00, SelfClearing = 1, OnWrite = ReadWritten });
        _readDone = read.AddFlag(4, "DONE");
        _readAddress = read.AddField<byte>(8, 8, "ADDR");
        _readData = read.AddField<ushort>(16, 16, "DATA");
    }

    /// <summary>The card's own address as a number, the first byte being the lowest.</summary>
    public ulong Address => Words[0] | (ulong)Words[1] << 16 | (ulong)Words[2] << 32;

    public int StateSize => _chip.StateSize;

    private Span<ushort> Words => _chip.Words;

    public void Reset() => _chip.Reset();

    public void Save(Span<byte> destination) => _chip.Save(destination);

    public void Restore(ReadOnlySpan<byte> source) => _chip.Restore(source);

    private void ReadWritten(RegisterWrite<uint> write)
    {
        if (!write.Has(1))
            return;
        byte address = _readAddress.Value;
        _readData.Value = address < WordCount ? Words[address] : (ushort)0;
        _readDone.Value = true;
    }

    private void ControlWritten(RegisterWrite<EepromControl> write)
    {
        _chip.SetWires(write.New.HasFlag(EepromControl.ChipSelect), write.New.HasFlag(EepromControl.Clock), write.New.HasFlag(EepromControl.DataIn));
        EepromControl seen = _chip.Output ? EepromControl.DataOut : 0;
        if (write.New.HasFlag(EepromControl.Request))
            seen |= EepromControl.Grant;
        _control.Update(EepromControl.DataOut | EepromControl.Grant, seen);
    }
}
