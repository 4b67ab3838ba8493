using System.Buffers.Binary;
using VfioUser;

namespace Cosimulation;

/// <summary>Makes the guest's accesses to the BAR transfers on the model's bus, of 32 bits each.</summary>
/// <param name="bus">The model.</param>
/// <param name="accessed">Called after each access.</param>
internal sealed class RegisterBus(ModelBus bus, Action accessed) : IRegionHandler
{
    private const int Width = sizeof(uint);

    public void Read(long offset, Span<byte> destination)
    {
        Span<byte> word = stackalloc byte[Width];
        for (int done = 0; done < destination.Length;)
        {
            int lane = (int)(offset + done) % Width;
            uint value = 0;
            if (!bus.TryAccess((uint)(offset + done - lane), ref value, strobes: null))
            {
                destination[done..].Fill(0xFF); // as a bus that nobody answers on
                break;
            }
            BinaryPrimitives.WriteUInt32LittleEndian(word, value);
            int count = Math.Min(Width - lane, destination.Length - done);
            word.Slice(lane, count).CopyTo(destination[done..]);
            done += count;
        }
        accessed();
    }

    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        Span<byte> word = stackalloc byte[Width];
        for (int done = 0; done < source.Length;)
        {
            int lane = (int)(offset + done) % Width;
            int count = Math.Min(Width - lane, source.Length - done);
            word.Clear();
            source.Slice(done, count).CopyTo(word[lane..]);
            uint value = BinaryPrimitives.ReadUInt32LittleEndian(word);
            if (!bus.TryAccess((uint)(offset + done - lane), ref value, (byte)((1 << count) - 1 << lane)))
                break;
            done += count;
        }
        accessed();
    }
}
