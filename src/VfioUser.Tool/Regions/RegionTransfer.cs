using VfioUser.Client;

namespace VfioUser.Tool.Regions;

/// <summary>Accesses of any length, in as many messages as the server's limits require.</summary>
/// <remarks>An access of more than 8 bytes to configuration space is made in aligned pieces of 4 bytes, as on a bus: some servers
/// crash on a longer one.</remarks>
internal static class RegionTransfer
{
    public static void Read(VfioUserClient client, uint region, ulong offset, Span<byte> destination)
    {
        int most = Math.Min(client.Limits.MaxTransferToSend, client.Limits.MaxTransferToReceive);
        bool inPieces = InPieces(region, destination.Length);
        while (!destination.IsEmpty)
        {
            int count = Math.Min(destination.Length, inPieces ? Piece(offset) : most);
            client.ReadRegion(region, offset, destination[..count]);
            destination = destination[count..];
            offset += (uint)count;
        }
    }

    public static void Write(VfioUserClient client, uint region, ulong offset, ReadOnlySpan<byte> source)
    {
        int most = client.Limits.MaxTransferToSend;
        bool inPieces = InPieces(region, source.Length);
        while (!source.IsEmpty)
        {
            int count = Math.Min(source.Length, inPieces ? Piece(offset) : most);
            client.WriteRegion(region, offset, source[..count]);
            source = source[count..];
            offset += (uint)count;
        }
    }

    private static bool InPieces(uint region, int length) => region == RegionName.Config && length > sizeof(ulong);

    private static int Piece(ulong offset) => sizeof(uint) - (int)(offset % sizeof(uint));
}
