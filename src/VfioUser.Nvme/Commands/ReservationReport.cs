using System.Buffers.Binary;

namespace VfioUser.Nvme;

/// <summary>The Reservation Status data structure. NVMe 2.0 figures 379 to 382.</summary>
internal static class ReservationReport
{
    private const int HeaderLength = 24;
    private const int ExtendedHeaderLength = 64;
    private const int EntryLength = 24;
    private const int ExtendedEntryLength = 64;
    private const ushort NoController = 0xFFFF;

    /// <summary>An entry for each controller of a registrant, and one for a registrant that has none.</summary>
    public static byte[] Compose(ReservationState state, Subsystem subsystem, bool extended)
    {
        List<(ushort Controller, Registrant Registrant)> all = [];
        foreach (Registrant registrant in state.Registrants)
        {
            ushort[] controllers = subsystem.ControllersOf(registrant.Host);
            foreach (ushort controller in controllers.Length > 0 ? controllers : [NoController])
                all.Add((controller, registrant));
        }
        int length = extended ? ExtendedEntryLength : EntryLength;
        int at = extended ? ExtendedHeaderLength : HeaderLength;
        byte[] report = new byte[at + all.Count * length];
        BinaryPrimitives.WriteUInt32LittleEndian(report, state.Generation);
        report[4] = (byte)state.Type;
        BinaryPrimitives.WriteUInt16LittleEndian(report.AsSpan(5), (ushort)all.Count);
        report[9] = (byte)(state.IsPersistent ? 1 : 0);
        foreach ((ushort controller, Registrant registrant) in all)
        {
            Put(report.AsSpan(at, length), controller, registrant, state.IsHeldBy(registrant.Host), extended);
            at += length;
        }
        return report;
    }

    private static void Put(Span<byte> entry, ushort controller, in Registrant registrant, bool holds, bool extended)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(entry, controller);
        entry[2] = (byte)(holds ? 1 : 0);
        if (extended)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(entry[8..], registrant.Key);
            BinaryPrimitives.WriteUInt128LittleEndian(entry[16..], registrant.Host.Value);
        }
        else
        {
            BinaryPrimitives.WriteUInt64LittleEndian(entry[8..], (ulong)registrant.Host.Value);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[16..], registrant.Key);
        }
    }
}
