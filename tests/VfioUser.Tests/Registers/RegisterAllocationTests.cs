namespace VfioUser.Tests;

public class RegisterAllocationTests
{
    [Fact]
    public void Accesses_of_registers_and_of_places_without_any_allocate_nothing()
    {
        ulong seen = 0;
        BlankDevice device = new(_ => { });
        Bar bar = device.AddBar(0, BarKind.Memory32, 0x1000);
        bar.AddRegister<uint>(0x00, new() { Name = "CTRL", SelfClearing = 1, OnWrite = write => seen += write.Sets(1) ? 1u : 0 });
        bar.AddRegister<ulong>(0x08, new() { Name = "TIME", OnRead = stored => stored + 1, ReadToClear = 0xFF });
        bar.AddDoorbell<ulong>(0x10, _ => seen++);
        Register<uint> mask = bar.AddRegister<uint>(0x18, RegisterAccess.WriteOneToSet);
        bar.AddView(0x1C, mask, RegisterAccess.WriteOneToClear);
        bar.AddBankedRegisters<uint>(0x20, 4, () => 1);

        long least = long.MaxValue;
        for (int round = 0; round < 20 && least > 0; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            Touch(bar);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        least.Should().Be(0);
        seen.Should().BePositive();
    }

    private static void Touch(Bar bar)
    {
        Span<byte> bytes = stackalloc byte[8];
        for (long offset = 0; offset < 0x40; offset += 4)
        {
            bytes.Fill(0xFF);
            bar.GuestWrite(offset, bytes[..4]);
            bar.GuestRead(offset, bytes[..4]);
            bar.GuestRead(offset, bytes);
        }
    }
}
