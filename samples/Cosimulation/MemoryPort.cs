using System.Buffers.Binary;
using Microsoft.Extensions.Logging;
using VfioUser;

namespace Cosimulation;

/// <summary>Carries out a model's requests in guest memory.</summary>
internal sealed partial class MemoryPort(PciDevice device)
{
    private const int Lanes = sizeof(ulong);

    /// <summary>Reads or writes a beat.</summary>
    /// <param name="request">What the model asks for.</param>
    /// <param name="data">What was read; all ones if it failed, as on a bus.</param>
    /// <returns>False for an error answer.</returns>
    public bool TryCarryOut(MemoryRequest request, out ulong data)
    {
        data = ulong.MaxValue;
        Iova address = new(request.Address & ~(ulong)(Lanes - 1));
        DmaResult result = request.IsWrite ? Write(address, request) : device.Dma.TryRead(address, out data);
        if (result)
            return true;
        Failed(device.Logger, request.IsWrite ? "write" : "read", result);
        data = ulong.MaxValue;
        return false;
    }

    private DmaResult Write(Iova address, MemoryRequest request)
    {
        if (request.Strobes == byte.MaxValue)
            return device.Dma.TryWrite(address, request.Data);
        Span<byte> bytes = stackalloc byte[Lanes];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, request.Data);
        DmaResult result = device.Dma.TryWrite(address, []); // of no lane
        for (int lane = 0; lane < Lanes; lane++)
        {
            int count = 0;
            while (lane + count < Lanes && (request.Strobes >> (lane + count) & 1) != 0)
                count++;
            if (count == 0)
                continue;
            result = device.Dma.TryWrite(address + (ulong)lane, bytes.Slice(lane, count));
            if (!result)
                break;
            lane += count;
        }
        return result;
    }

    [LoggerMessage(1001, LogLevel.Debug, "The model's {Access} of guest memory failed: {Result}")]
    private static partial void Failed(ILogger logger, string access, DmaResult result);
}
