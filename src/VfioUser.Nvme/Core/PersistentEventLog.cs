using System.Buffers.Binary;
using System.Text;

namespace VfioUser.Nvme;

/// <summary>The persistent event log of a controller: what goes into it, and the context in which a driver reads it. NVMe 2.0 5.16.1.14.</summary>
/// <remarks>Any thread adds; the admin thread reads.</remarks>
internal sealed class PersistentEventLog(ControllerParts parts)
{
    public const string FirmwareRevision = "1.0";

    /// <summary>PELS: the most that it takes, in units of 64 KiB.</summary>
    public const int SizeUnits = 1;

    private const int HeaderSize = 512;
    private const int Padding = 512;
    private byte[]? _context;

    /// <summary>The events.</summary>
    public PersistentEvents Events { get; } = new();

    /// <summary>What a driver reads since it has established a context; null if there is none.</summary>
    public byte[]? Context => Volatile.Read(ref _context);

    /// <summary>Keeps the log as it is now, for the driver to read.</summary>
    public void Establish() => Volatile.Write(ref _context, Compose());

    /// <summary>Lets it go.</summary>
    public void Release() => Volatile.Write(ref _context, null);

    /// <summary>The controller has been enabled.</summary>
    public void AddReset()
    {
        Span<byte> data = stackalloc byte[8 + 36];
        data.Clear();
        Encoding.ASCII.GetBytes(FirmwareRevision.PadRight(8), data);
        BinaryPrimitives.WriteUInt16LittleEndian(data[8..], parts.ControllerId);
        BinaryPrimitives.WriteUInt32LittleEndian(data[24..], 1); // power cycles
        BinaryPrimitives.WriteUInt64LittleEndian(data[28..], (ulong)(DateTimeOffset.UtcNow - parts.Statistics.Since).TotalMilliseconds);
        BinaryPrimitives.WriteUInt64LittleEndian(data[36..], parts.Features.Timestamp);
        Add(PersistentEventType.PowerOnOrReset, data);
        AddSmart();
    }

    /// <summary>The health as it is now.</summary>
    public void AddSmart()
    {
        Span<byte> data = stackalloc byte[SmartLog.PageSize];
        data.Clear();
        SmartLog.Write(parts, data);
        Add(PersistentEventType.SmartSnapshot, data);
    }

    /// <summary>The driver is about to set the timestamp.</summary>
    public void AddTimestamp()
    {
        Span<byte> data = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(data, parts.Features.Timestamp);
        BinaryPrimitives.WriteUInt64LittleEndian(data[8..], (ulong)(DateTimeOffset.UtcNow - parts.Statistics.Since).TotalMilliseconds);
        Add(PersistentEventType.TimestampChange, data);
    }

    /// <summary>A format of a namespace begins.</summary>
    public void AddFormatStart(uint nsid, uint dword10)
    {
        Span<byte> data = stackalloc byte[12];
        data.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(data, nsid);
        BinaryPrimitives.WriteUInt32LittleEndian(data[8..], dword10);
        Add(PersistentEventType.FormatStart, data);
    }

    /// <summary>It has ended.</summary>
    public void AddFormatCompletion(uint nsid, Status status)
    {
        Span<byte> data = stackalloc byte[12];
        data.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(data, nsid);
        data[5] = (byte)(status == Status.Success ? 0 : 1);
        BinaryPrimitives.WriteUInt32LittleEndian(data[8..], status.Field());
        Add(PersistentEventType.FormatCompletion, data);
    }

    /// <summary>The driver has set a feature.</summary>
    public void AddSetFeature(in Command command)
    {
        const uint Dwords = 2; // 10 and 11
        Span<byte> data = stackalloc byte[12];
        BinaryPrimitives.WriteUInt32LittleEndian(data, Dwords);
        BinaryPrimitives.WriteUInt32LittleEndian(data[4..], command.Dword10);
        BinaryPrimitives.WriteUInt32LittleEndian(data[8..], command.Dword11);
        Add(PersistentEventType.SetFeature, data);
    }

    private void Add(PersistentEventType type, ReadOnlySpan<byte> data) => Events.Add(type, parts.ControllerId, parts.Features.Timestamp, data);

    // NVMe 2.0 figure 222
    private byte[] Compose()
    {
        (byte[] events, int count, ushort generation) = Events.Snapshot;
        // something behind the last event: nvme-cli leaves one out that ends with the log
        byte[] log = new byte[HeaderSize + (events.Length / Padding + 1) * Padding];
        Span<byte> header = log;
        header[0] = (byte)LogPageId.PersistentEvents;
        BinaryPrimitives.WriteInt32LittleEndian(header[4..], count);
        BinaryPrimitives.WriteInt64LittleEndian(header[8..], log.Length);
        header[16] = 3; // revision
        BinaryPrimitives.WriteUInt16LittleEndian(header[18..], HeaderSize - 20);
        BinaryPrimitives.WriteUInt64LittleEndian(header[20..], parts.Features.Timestamp);
        BinaryPrimitives.WriteInt64LittleEndian(header[28..], (long)(DateTimeOffset.UtcNow - parts.Statistics.Since).TotalHours);
        BinaryPrimitives.WriteInt64LittleEndian(header[44..], 1); // power cycles
        BinaryPrimitives.WriteUInt16LittleEndian(header[52..], parts.Id.Vendor);
        BinaryPrimitives.WriteUInt16LittleEndian(header[54..], parts.Id.SubsystemVendor);
        PutText(header[56..76], parts.Subsystem.SerialNumber, ' ');
        PutText(header[76..116], parts.Subsystem.Options.ModelNumber, ' ');
        PutText(header[116..372], parts.SubsystemName, '\0');
        BinaryPrimitives.WriteUInt16LittleEndian(header[372..], generation);
        foreach (PersistentEventType type in Enum.GetValues<PersistentEventType>())
            header[480 + (int)type / 8] |= (byte)(1 << (int)type % 8);
        events.CopyTo(log, HeaderSize);
        return log;
    }

    private static void PutText(Span<byte> field, string text, char padding)
    {
        field.Fill((byte)padding);
        Encoding.ASCII.GetBytes(text, field);
    }
}
