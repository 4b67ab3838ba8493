namespace VfioUser.Docs.Tests.Dma;

/// <summary>Holds on to a buffer of the guest's until the work is done, which takes a while.</summary>
internal sealed class Recorder : PciDevice
{
    public Recorder()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00E9), PciClass.MultimediaAudio)
    {
    }

    /// <summary>Any thread.</summary>
    public bool TryRecord(Iova buffer, ReadOnlySpan<byte> samples)
    {
        if (!Dma.TryLease(buffer, (ulong)samples.Length, writable: true, out DmaLease lease))
            return false;
        using (lease) // an unmap waits from here
        {
            for (int at = 0; at < samples.Length; at += 512)
            {
                if (!lease.TryWrite((ulong)at, samples.Slice(at, Math.Min(512, samples.Length - at))))
                    return false;
            }
        } // to here
        return true;
    }

    /// <summary>Whether the range can be reached without asking the client.</summary>
    public bool IsMapped(Iova address) => Dma.Find(address) is { Backing: DmaBacking.Mapped };
}
