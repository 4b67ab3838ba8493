using VfioUser.Client;

namespace VfioUser.Tool.Regions;

/// <summary>Accesses of any length, in as many messages as the server's limit asks for.</summary>
internal static class RegionTransfer
{
    public static void Read(VfioUserClient client, uint region, ulong offset, Span<byte> destination)
    {
        int most = Math.Min(client.Limits.MaxTransferToSend, client.Limits.MaxTransferToReceive);
        while (!destination.IsEmpty)
        {
            int count = Math.Min(destination.Length, most);
            client.ReadRegion(region, offset, destination[..count]);
            destination = destination[count..];
            offset += (uint)count;
        }
    }

    public static void Write(VfioUserClient client, uint region, ulong offset, ReadOnlySpan<byte> source)
    {
        int most = client.Limits.MaxTransferToSend;
        while (!source.IsEmpty)
        {
            int count = Math.Min(source.Length, most);
            client.WriteRegion(region, offset, source[..count]);
            source = source[count..];
            offset += (uint)count;
        }
    }
}
