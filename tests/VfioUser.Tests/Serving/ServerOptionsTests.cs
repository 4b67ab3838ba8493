namespace VfioUser.Tests;

public class ServerOptionsTests
{
    [Fact]
    public void Values_that_cannot_work_are_refused_where_they_are_set()
    {
        Refused(() => new VfioUserServerOptions { DmaTimeout = TimeSpan.FromSeconds(-5) }, "DmaTimeout");
        Refused(() => new VfioUserServerOptions { NegotiationTimeout = TimeSpan.Zero }, "NegotiationTimeout");
        Refused(() => new VfioUserServerOptions { MaxDmaMaps = -1 }, "MaxDmaMaps");
        Refused(() => new VfioUserServerOptions { MaxDirtyBitmapMemory = -1 }, "MaxDirtyBitmapMemory");
        Refused(() => new VfioUserServerOptions { MaxBitmapSize = -1 }, "MaxBitmapSize");
        Refused(() => new VfioUserServerOptions { MaxBitmapSize = int.MaxValue }, "MaxBitmapSize");
        Refused(() => new VfioUserServerOptions { MaxDmaTransfer = 0 }, "MaxDmaTransfer");
        Refused(() => new VfioUserServerOptions { MaxDmaInFlight = 257 }, "MaxDmaInFlight");
        Refused(() => new VfioUserServerOptions { Spin = TimeSpan.FromTicks(-1) }, "Spin");
    }

    private static void Refused(Func<VfioUserServerOptions> make, string name) =>
        make.Should().Throw<ArgumentOutOfRangeException>().WithParameterName(name).WithMessage($"{name} is *");
}
