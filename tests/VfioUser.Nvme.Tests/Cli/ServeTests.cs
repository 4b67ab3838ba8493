using Nvme.Cli;

namespace VfioUser.Nvme.Tests.Cli;

public class ServeTests
{
    [Fact]
    public async Task Disk_in_memory_that_cannot_be_is_refused_in_words()
    {
        string socket = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());

        int result = await Serve.Run(new ServeOptions(socket, [], MemoryDisk.MaxSize + 4096, FileCacheMode.Writeback, ReadOnly: false, Incoming: false, TrustClientMemory: false, View: false, new NvmeControllerOptions()));

        result.Should().Be(1);
        File.Exists(socket).Should().BeFalse();
    }
}
