console.log("gen")
